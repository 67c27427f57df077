//! The items of a payload as they stand in the JSON.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::read::{Reader, Take};
use super::{CHANGE, NAME, NODE, SAME_KEY, SHAPE};

/// `[node, ts, c]`, the last two as they lie from another stamp.
#[derive(Deserialize, Clone, Copy)]
#[serde(expecting = "a stamp, which is [node,ts,c]")]
pub struct Delta(pub usize, pub i64, pub i64);

/// What stands after the values of an entry.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Rest {
    #[serde(default)]
    pub prev: Option<Delta>,
    #[serde(default)]
    pub seen: Option<Vec<Delta>>,
    #[serde(default)]
    pub altered: bool,
    #[serde(default)]
    pub born: Option<Delta>,
    #[serde(default)]
    pub operation: bool,
    #[serde(default)]
    pub forgotten: Option<Delta>,
}

/// A set's remove.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remove<'a> {
    #[serde(borrow)]
    pub remove: &'a RawValue,
    #[serde(default)]
    pub tags: Option<Vec<Delta>>,
}

/// A number, or a text.
enum Word<'a> {
    Number(u64),
    Text(Cow<'a, str>),
}

/// A field of a shape: its name, or name and type.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a field's name, or [name,type]")]
enum Named<'a> {
    #[serde(borrow)]
    Lww(Cow<'a, str>),
    Typed(Cow<'a, str>, Cow<'a, str>),
}

/// Whose changes an entry holds.
pub enum Key<'a> {
    /// This one's.
    Text(Cow<'a, str>),
    /// That of the entry before.
    Same,
}

impl<'de> Deserialize<'de> for Word<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Word<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0 or a text")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Word<'de>, E> {
                Ok(Word::Number(number))
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Word<'de>, E> {
                Ok(Word::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Word<'de>, E> {
                Ok(Word::Text(Cow::Owned(text.to_owned())))
            }
        }

        json.deserialize_any(Either)
    }
}

/// The next of an item's elements, which must be there.
fn next<'de, A: SeqAccess<'de>, V: Deserialize<'de>>(item: &mut A, what: &str) -> Result<V, A::Error> {
    item.next_element()?.ok_or_else(|| A::Error::custom(format_args!("an item ends where {what} should stand")))
}

/// An object with `format` and `changes`.
pub struct Payload<'r, 'de, 't, T>(pub &'r mut Reader<'de, 't, T>);

/// The items of an array; null for none.
pub struct Items<'r, 'de, 't, T>(pub &'r mut Reader<'de, 't, T>);

/// One of them.
struct Item<'r, 'de, 't, T>(&'r mut Reader<'de, 't, T>);

impl<'de, T: Take<'de>> DeserializeSeed<'de> for Payload<'_, 'de, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, T: Take<'de>> Visitor<'de> for Payload<'_, 'de, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with \"format\" and \"changes\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = false;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match &*key {
                "changes" if seen => return Err(A::Error::custom("\"changes\" stands there twice")),
                "changes" => {
                    seen = true;
                    map.next_value_seed(Items(&mut *self.0))?;
                }
                "format" if map.next_value::<Cow<'de, str>>()? != NAME => {
                    return Err(A::Error::custom("\"format\" stands there twice"));
                }
                "format" => {}
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match seen {
            true => Ok(()),
            false => Err(A::Error::missing_field("changes")),
        }
    }
}

impl<'de, T: Take<'de>> DeserializeSeed<'de> for Items<'_, 'de, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, T: Take<'de>> Visitor<'de> for Items<'_, 'de, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of items")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Item(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

impl<'de, T: Take<'de>> DeserializeSeed<'de> for Item<'_, 'de, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, T: Take<'de>> Visitor<'de> for Item<'_, 'de, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an item, which is an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut item: A) -> Result<(), A::Error> {
        match next(&mut item, "a shape's number, or a word")? {
            Word::Number(shape) => return self.entry(shape, item),
            Word::Text(word) if word == NODE => {
                let node: Cow<'de, str> = next(&mut item, "a node id")?;
                let defined = self.0.define_node(&node);
                self.0.keep(defined)?;
            }
            Word::Text(word) if word == SHAPE => {
                let table: Cow<'de, str> = next(&mut item, "a table")?;
                let begun = self.0.define_shape(&table);
                self.0.keep(begun)?;
                while let Some(field) = item.next_element::<Named<'de>>()? {
                    let defined = match &field {
                        Named::Lww(name) => self.0.define_field(name, None),
                        Named::Typed(name, ty) => self.0.define_field(name, Some(ty)),
                    };
                    self.0.keep(defined)?;
                }
            }
            Word::Text(word) if word == CHANGE => {
                let json: &'de RawValue = next(&mut item, "a change")?;
                let taken = self.0.whole(json.get());
                self.0.keep(taken)?;
            }
            Word::Text(word) => {
                let word = crate::error::excerpt(&word);
                return Err(A::Error::custom(format_args!(
                    "an item begins with a shape's number, \"{NODE}\", \"{SHAPE}\" or \"{CHANGE}\", not \"{word}\""
                )));
            }
        }
        match item.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::custom("an item goes on where it should end")),
        }
    }
}

impl<'de, T: Take<'de>> Item<'_, 'de, '_, T> {
    /// Reads an entry after its first number.
    fn entry<A: SeqAccess<'de>>(self, shape: u64, mut item: A) -> Result<(), A::Error> {
        let reader = self.0;
        let width = reader.width(shape);
        let (shape, width) = reader.keep(width)?;
        let key = match next(&mut item, "a key")? {
            Word::Text(key) => Key::Text(key),
            Word::Number(SAME_KEY) => Key::Same,
            Word::Number(_) => return Err(A::Error::custom("a key is a text, or 0 for that of the entry before")),
        };
        let stamp = Delta(next(&mut item, "a node's number")?, next(&mut item, "ts")?, next(&mut item, "c")?);
        reader.values.clear();
        for _ in 0..width {
            reader.values.push(next(&mut item, "a value for each field of its shape")?);
        }
        let rest: Option<Rest> = match item.next_element::<crate::json::Object<Rest>>()? {
            None => None,
            Some(crate::json::Object(rest)) => {
                if item.next_element::<IgnoredAny>()?.is_some() {
                    return Err(A::Error::custom("an entry goes on where it should end"));
                }
                Some(rest)
            }
        };
        let taken = reader.entry(shape, key, stamp, rest.unwrap_or_default());
        reader.keep(taken)
    }
}
