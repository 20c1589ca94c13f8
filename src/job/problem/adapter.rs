//! A deserializer that takes structs from objects only, and whose errors are bounded.
//!
//! serde's derived code also takes a struct from an array, as its fields in the order of the
//! declaration: `[]` would be a valid value of a struct whose fields are all optional. This adapter
//! hides that: it passes everything through, except that a struct whose input is an array is refused.
//! It applies at every depth, because it wraps all nested deserializers as well.
//!
//! The errors that the deserialized types return are [`Bounded`]. serde_json makes an error of its own,
//! with the whole text, if a text is found where a type asks for a number, a list or an object. So the
//! adapter asks it for any value instead, and leaves it to the visitor to refuse the text.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use crate::job::problem::bounded_error::Bounded;

/// Wraps a deserializer, and each visitor, seed and access that it gives out.
///
/// With `ARRAYS`, structs are also taken from arrays. With `KEY`, it wraps a key of a map: serde_json
/// reads a number from the text of a key only if it is asked for a number.
pub struct Adapter<T, const ARRAYS: bool, const KEY: bool>(T);

/// Returns a deserializer that takes structs from objects only.
pub fn object_structs<D>(deserializer: D) -> Adapter<D, false, false> {
    Adapter(deserializer)
}

/// Returns a deserializer that also takes structs from arrays, by serde's own rules.
pub fn any_structs<D>(deserializer: D) -> Adapter<D, true, false> {
    Adapter(deserializer)
}

/// The visitor of a struct. It has no `visit_seq`, so an array is an invalid type.
struct StructVisitor<V>(V);

macro_rules! forward_deserialize {
    ($($method:ident($($argument:ident: $kind:ty),*);)*) => {
        $(
            #[inline]
            fn $method<V: Visitor<'de>>(
                self,
                $($argument: $kind,)*
                visitor: V,
            ) -> Result<V::Value, Self::Error> {
                let visitor = Adapter::<_, ARRAYS, KEY>(visitor);
                self.0.$method($($argument,)* visitor).map_err(Bounded)
            }
        )*
    };
}

macro_rules! deserialize_any_value {
    ($($method:ident($($argument:ident: $kind:ty),*);)*) => {
        $(
            #[inline]
            fn $method<V: Visitor<'de>>(
                self,
                $($argument: $kind,)*
                visitor: V,
            ) -> Result<V::Value, Self::Error> {
                let visitor = Adapter::<_, ARRAYS, KEY>(visitor);
                let read = match KEY {
                    true => self.0.$method($($argument,)* visitor),
                    false => self.0.deserialize_any(visitor),
                };
                read.map_err(Bounded)
            }
        )*
    };
}

impl<'de, D: Deserializer<'de>, const ARRAYS: bool, const KEY: bool> Deserializer<'de>
    for Adapter<D, ARRAYS, KEY>
{
    type Error = Bounded<D::Error>;

    forward_deserialize! {
        deserialize_any();
        deserialize_i128();
        deserialize_u128();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_newtype_struct(name: &'static str);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }

    deserialize_any_value! {
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_f32();
        deserialize_f64();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match ARRAYS {
            true => self.deserialize_any(visitor),
            false => self.deserialize_any(StructVisitor(visitor)),
        }
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! forward_visit {
    ($($method:ident($kind:ty);)*) => {
        $(
            #[inline]
            fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
                self.0.$method(value).map_err(Bounded::inner)
            }
        )*
    };
}

impl<'de, V: Visitor<'de>, const ARRAYS: bool, const KEY: bool> Visitor<'de> for Adapter<V, ARRAYS, KEY> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    forward_visit! {
        visit_bool(bool);
        visit_i8(i8);
        visit_i16(i16);
        visit_i32(i32);
        visit_i64(i64);
        visit_i128(i128);
        visit_u8(u8);
        visit_u16(u16);
        visit_u32(u32);
        visit_u64(u64);
        visit_u128(u128);
        visit_f32(f32);
        visit_f64(f64);
        visit_char(char);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
        visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]);
        visit_byte_buf(Vec<u8>);
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none().map_err(Bounded::inner)
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit().map_err(Bounded::inner)
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Adapter::<_, ARRAYS, KEY>(deserializer)).map_err(Bounded::inner)
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Adapter::<_, ARRAYS, KEY>(deserializer)).map_err(Bounded::inner)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Adapter::<_, ARRAYS, false>(access)).map_err(Bounded::inner)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Adapter::<_, ARRAYS, false>(access)).map_err(Bounded::inner)
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(Adapter::<_, ARRAYS, false>(access)).map_err(Bounded::inner)
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for StructVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(access)
    }
}

impl<'de, S: DeserializeSeed<'de>, const ARRAYS: bool, const KEY: bool> DeserializeSeed<'de> for Adapter<S, ARRAYS, KEY> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Adapter::<_, ARRAYS, KEY>(deserializer)).map_err(Bounded::inner)
    }
}

impl<'de, A: SeqAccess<'de>, const ARRAYS: bool> SeqAccess<'de> for Adapter<A, ARRAYS, false> {
    type Error = Bounded<A::Error>;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Self::Error> {
        self.0.next_element_seed(Adapter::<_, ARRAYS, false>(seed)).map_err(Bounded)
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>, const ARRAYS: bool> MapAccess<'de> for Adapter<A, ARRAYS, false> {
    type Error = Bounded<A::Error>;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Self::Error> {
        self.0.next_key_seed(Adapter::<_, ARRAYS, true>(seed)).map_err(Bounded)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Self::Error> {
        self.0.next_value_seed(Adapter::<_, ARRAYS, false>(seed)).map_err(Bounded)
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>, const ARRAYS: bool> EnumAccess<'de> for Adapter<A, ARRAYS, false> {
    type Error = Bounded<A::Error>;
    type Variant = Adapter<A::Variant, ARRAYS, false>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), Self::Error> {
        let seed = Adapter::<_, ARRAYS, false>(seed);
        let (value, variant) = self.0.variant_seed(seed).map_err(Bounded)?;
        Ok((value, Adapter(variant)))
    }
}

impl<'de, A: VariantAccess<'de>, const ARRAYS: bool> VariantAccess<'de> for Adapter<A, ARRAYS, false> {
    type Error = Bounded<A::Error>;

    fn unit_variant(self) -> Result<(), Self::Error> {
        self.0.unit_variant().map_err(Bounded)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Self::Error> {
        self.0.newtype_variant_seed(Adapter::<_, ARRAYS, false>(seed)).map_err(Bounded)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Self::Error> {
        self.0.tuple_variant(len, Adapter::<_, ARRAYS, false>(visitor)).map_err(Bounded)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let read = match ARRAYS {
            true => self.0.struct_variant(fields, Adapter::<_, ARRAYS, false>(visitor)),
            false => {
                self.0.struct_variant(fields, Adapter::<_, ARRAYS, false>(StructVisitor(visitor)))
            }
        };
        read.map_err(Bounded)
    }
}

#[cfg(test)]
mod tests;
