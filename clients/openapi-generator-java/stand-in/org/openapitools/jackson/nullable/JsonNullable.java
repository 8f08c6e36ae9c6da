package org.openapitools.jackson.nullable;

import java.util.Objects;

/**
 * A value that can be absent, null or there. A stand-in with the names of the library of OpenAPI Generator, for places where
 * only the packages of the distribution are to be had: your build takes the library itself.
 */
public final class JsonNullable<T> {
    private static final JsonNullable<?> UNDEFINED = new JsonNullable<>(null, false);

    private final T value;
    private final boolean present;

    private JsonNullable(T value, boolean present) {
        this.value = value;
        this.present = present;
    }

    @SuppressWarnings("unchecked")
    public static <T> JsonNullable<T> undefined() {
        return (JsonNullable<T>) UNDEFINED;
    }

    public static <T> JsonNullable<T> of(T value) {
        return new JsonNullable<>(value, true);
    }

    public T get() {
        if (!present) throw new java.util.NoSuchElementException("The value is absent");
        return value;
    }

    public T orElse(T other) {
        return present ? value : other;
    }

    public boolean isPresent() {
        return present;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof JsonNullable<?> that && present == that.present && Objects.equals(value, that.value);
    }

    @Override
    public int hashCode() {
        return Objects.hash(value, present);
    }
}
