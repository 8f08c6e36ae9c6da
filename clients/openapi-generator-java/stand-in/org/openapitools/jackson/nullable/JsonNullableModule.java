package org.openapitools.jackson.nullable;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.BeanDescription;
import com.fasterxml.jackson.databind.BeanProperty;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.SerializationConfig;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.ContextualDeserializer;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.BeanPropertyWriter;
import com.fasterxml.jackson.databind.ser.BeanSerializerModifier;
import java.io.IOException;
import java.util.List;

/** Reads and writes {@link JsonNullable}: a property that is absent is left out, and null is written as null. */
@SuppressWarnings({"rawtypes", "unchecked"})
public final class JsonNullableModule extends SimpleModule {
    public JsonNullableModule() {
        addSerializer(JsonNullable.class, new Writer());
        addDeserializer(JsonNullable.class, new Reader(null));
        setSerializerModifier(new BeanSerializerModifier() {
            @Override
            public List<BeanPropertyWriter> changeProperties(
                    SerializationConfig config, BeanDescription bean, List<BeanPropertyWriter> properties) {
                properties.replaceAll(property -> property.getType().hasRawClass(JsonNullable.class) ? new Property(property) : property);
                return properties;
            }
        });
    }

    /** A property that is left out while it is absent, whatever inclusion the mapper is set to. */
    private static final class Property extends BeanPropertyWriter {
        private Property(BeanPropertyWriter property) {
            super(property);
        }

        @Override
        public void serializeAsField(Object bean, JsonGenerator json, SerializerProvider provider) throws Exception {
            if (get(bean) instanceof JsonNullable<?> value && value.isPresent()) super.serializeAsField(bean, json, provider);
        }
    }

    private static final class Writer extends JsonSerializer<JsonNullable> {
        @Override
        public void serialize(JsonNullable value, JsonGenerator json, SerializerProvider provider) throws IOException {
            provider.defaultSerializeValue(value.orElse(null), json);
        }
    }

    private static final class Reader extends JsonDeserializer<JsonNullable> implements ContextualDeserializer {
        private final JavaType type;

        private Reader(JavaType type) {
            this.type = type;
        }

        @Override
        public JsonDeserializer<?> createContextual(DeserializationContext context, BeanProperty property) {
            JavaType whole = property == null ? context.getContextualType() : property.getType();
            return new Reader(whole.containedType(0));
        }

        @Override
        public JsonNullable deserialize(JsonParser json, DeserializationContext context) throws IOException {
            return JsonNullable.of(context.readValue(json, type));
        }

        @Override
        public JsonNullable getNullValue(DeserializationContext context) {
            return JsonNullable.of(null);
        }
    }
}
