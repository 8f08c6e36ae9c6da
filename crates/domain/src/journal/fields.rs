//! The fields of a record in their order, each with its name and its value as JSON. They are found while the text of the record is
//! written: to look for them in it afterwards would cost as much again.

use std::ops::Range;

use serde::{
    Serialize,
    ser::{Error, Impossible, SerializeMap, SerializeStruct, Serializer},
};

use super::{BOOKKEEPING, CUSTOM, ROOM};

/// Fields that say what changes, and no others. Custom fields are fields like others.
#[derive(Default)]
pub(super) struct Fields {
    text: String,
    places: Vec<Place>,
}

/// Where the name of a field is in a text, in its quotes, and where its value.
struct Place {
    name: Range<usize>,
    value: Range<usize>,
}

impl Fields {
    /// Those of a record; what is no record has none.
    pub(super) fn of(record: &impl Serialize) -> Self {
        let mut writing =
            Writing { text: Vec::with_capacity(ROOM), places: Vec::with_capacity(64), ..Writing::default() };
        match record.serialize(&mut writing).map(|()| String::from_utf8(writing.text)) {
            Ok(Ok(text)) => Self { text, places: writing.places },
            _ => Self::default(),
        }
    }

    /// Names, in their quotes, and values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = |place: &Range<usize>| self.text.get(place.clone());
        self.places.iter().filter_map(move |place| Some((text(&place.name)?, text(&place.value)?)))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }
}

#[derive(Default)]
struct Writing {
    text: Vec<u8>,
    places: Vec<Place>,
    name: Range<usize>,
    /// Whether the fields that are being written are custom ones.
    is_custom: bool,
}

impl Writing {
    fn name(&mut self, name: &(impl Serialize + ?Sized)) -> Result<(), serde_json::Error> {
        let start = self.text.len();
        serde_json::to_writer(&mut self.text, name)?;
        if self.is_custom {
            self.text.splice(start + 1..start + 1, CUSTOM.bytes());
        }
        self.name = start..self.text.len();
        Ok(())
    }

    fn value(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), serde_json::Error> {
        let name = self.text.get(self.name.start + 1..self.name.end.saturating_sub(1)).unwrap_or_default();
        // An object of values by the names of their fields.
        if !self.is_custom && name == b"custom" {
            self.is_custom = true;
            value.serialize(&mut *self)?;
            self.is_custom = false;
        } else if self.is_custom || !BOOKKEEPING.iter().any(|field| field.as_bytes() == name) {
            let start = self.text.len();
            serde_json::to_writer(&mut self.text, value)?;
            self.places.push(Place { name: self.name.clone(), value: start..self.text.len() });
        }
        Ok(())
    }
}

impl SerializeMap for &mut Writing {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Self::Error> {
        self.name(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Self::Error> {
        self.value(value)
    }

    fn end(self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl SerializeStruct for &mut Writing {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Self::Error> {
        self.name(key)?;
        self.value(value)
    }

    fn end(self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Methods for what is no record.
macro_rules! refuse {
    ($($method:ident($($argument:ty),*) -> $done:ty;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$done, Self::Error> {
            Err(Error::custom("not a record"))
        })*
    };
}

type Never = Impossible<(), serde_json::Error>;

impl Serializer for &mut Writing {
    type Ok = ();
    type Error = serde_json::Error;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Never;

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Self::Error> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Self::Error> {
        Ok(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Self::Error> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Self::Error> {
        value.serialize(self)
    }

    fn serialize_none(self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Self::Error> {
        Err(Error::custom("not a record"))
    }

    refuse! {
        serialize_bool(bool) -> ();
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u64(u64) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_str(&str) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }
}
