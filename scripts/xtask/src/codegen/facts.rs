//! The facts of one message's schema, in the form that the generator works with.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::codegen::text;

/// An inclusive range of versions; empty if `first` is above `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    pub first: i16,
    pub last: i16,
}

impl Versions {
    pub const ALL: Self = Self { first: 0, last: i16::MAX };
    pub const NONE: Self = Self { first: i16::MAX, last: -1 };

    /// Reads `3+`, `0-12`, `6` or `none`.
    fn parse(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::NONE);
        }
        if let Some(first) = text.strip_suffix('+') {
            return Some(Self { first: first.parse().ok()?, last: i16::MAX });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some(Self { first: first.parse().ok()?, last: last.parse().ok()? })
    }

    pub fn is_empty(self) -> bool {
        self.first > self.last
    }

    pub fn contains(self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }

    pub fn and(self, other: Self) -> Self {
        let both = Self { first: self.first.max(other.first), last: self.last.min(other.last) };
        if both.is_empty() { Self::NONE } else { both }
    }

    /// The smallest range that holds both.
    fn hull(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

/// A type of the schema language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    Bool,
    /// An integer by the name of its Rust type, such as `i32`.
    Integer(&'static str),
    Float,
    Uuid,
    String,
    /// Bytes, and records.
    Bytes,
    Struct(String),
    Array(Box<Type>),
}

/// What a field holds when nobody set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Default {
    /// Zero, false, or empty.
    Empty,
    Null,
    True,
    Integer(i64),
}

/// One field of a struct.
#[derive(Clone, Debug)]
pub struct Field {
    /// Kafka's name, in upper camel case but for a few.
    pub name: String,
    pub ty: Type,
    /// The versions that carry it, within those of its struct.
    pub versions: Versions,
    /// The versions in which it may be null, within those that carry it.
    pub nullable: Versions,
    /// Its tag, if it is a tagged field.
    pub tag: Option<u32>,
    pub default: Default,
    /// Whether a version without it may leave out a value that is not the default.
    pub is_ignorable: bool,
}

impl Field {
    pub fn rust_name(&self) -> String {
        text::snake_case(&self.name)
    }

    /// The name for errors, without the mark of a raw identifier.
    pub fn label(&self) -> String {
        self.rust_name().trim_start_matches("r#").to_string()
    }

    /// Whether its Rust type is an `Option`.
    pub fn is_option(&self) -> bool {
        !self.nullable.is_empty() || self.default == Default::Null
    }
}

/// One struct of a message.
#[derive(Clone, Debug)]
pub struct Struct {
    pub name: String,
    /// The versions in which the message can hold one.
    pub versions: Versions,
    pub fields: Vec<Field>,
}

/// One request or response.
#[derive(Clone, Debug)]
pub struct Message {
    pub api_key: i16,
    pub versions: Versions,
    /// The versions in the flexible form, within `versions`.
    pub flexible: Versions,
    /// Its structs; the first is the message itself.
    pub structs: Vec<Struct>,
}

impl Message {
    pub fn name(&self) -> &str {
        &self.structs[0].name
    }

    /// The fewest bytes that one `ty` can take, over `versions`.
    pub fn min_size(&self, ty: &Type, versions: Versions) -> usize {
        (versions.first..=versions.last)
            .map(|version| self.size_in(ty, version))
            .min()
            .expect("a type is only asked for in versions that have it")
    }

    fn size_in(&self, ty: &Type, version: i16) -> usize {
        let is_flexible = self.flexible.contains(version);
        match ty {
            Type::Bool | Type::Integer("i8") => 1,
            Type::Integer("i16" | "u16") => 2,
            Type::Integer("i32" | "u32") => 4,
            Type::Integer(_) | Type::Float => 8,
            Type::Uuid => 16,
            Type::String => {
                if is_flexible {
                    1
                } else {
                    2
                }
            }
            Type::Bytes | Type::Array(_) => {
                if is_flexible {
                    1
                } else {
                    4
                }
            }
            Type::Struct(name) => {
                let fields = self.find(name).fields.iter();
                let carried = fields.filter(|f| f.tag.is_none() && f.versions.contains(version));
                let sizes = carried.map(|field| match field.ty {
                    // A null is one byte.
                    Type::Struct(_) if field.is_option() => 1,
                    _ => self.size_in(&field.ty, version),
                });
                sizes.sum::<usize>() + usize::from(is_flexible)
            }
        }
    }

    pub fn find(&self, name: &str) -> &Struct {
        let found = self.structs.iter().find(|candidate| candidate.name == name);
        found.expect("reading the schema resolved every struct")
    }
}

/// What the generator cannot read in a schema.
#[derive(Debug)]
pub enum FactsError {
    NoSchema,
    Json(serde_json::Error),
    Missing { what: &'static str },
    Unknown { what: &'static str, text: String },
}

impl fmt::Display for FactsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSchema => write!(f, "the artifact has none"),
            Self::Json(error) => write!(f, "not JSON ({error})"),
            Self::Missing { what } => write!(f, "no {what}"),
            Self::Unknown { what, text } => write!(f, "unknown {what} `{text}`"),
        }
    }
}

/// Reads one schema, JSON with comments of whole lines, as far as it is about `versions`.
pub fn read(schema: &str, versions: Versions) -> Result<Message, FactsError> {
    let is_comment = |line: &&str| line.trim_start().starts_with("//");
    let json: String = schema.lines().filter(|line| !is_comment(line)).collect();
    let json: Value = serde_json::from_str(&json).map_err(FactsError::Json)?;

    let mut stable = read_versions(&json, "validVersions")?;
    if json["latestVersionUnstable"] == Value::Bool(true) {
        stable.last -= 1;
    }
    let versions = stable.and(versions);
    let api_key = json["apiKey"].as_i64().ok_or(FactsError::Missing { what: "apiKey" })? as i16;
    let flexible = read_versions(&json, "flexibleVersions")?.and(versions);
    let mut structs = Structs { common: BTreeMap::new(), found: Vec::new() };
    for shared in json["commonStructs"].as_array().into_iter().flatten() {
        structs.common.insert(read_text(shared, "name")?.to_string(), shared.clone());
    }
    structs.read(read_text(&json, "name")?, &json["fields"], versions)?;
    Ok(Message { api_key, versions, flexible, structs: structs.found })
}

/// Renames structs of `response` whose names `request` has too: they share one Rust module.
pub fn keep_names_apart(request: &Message, response: &mut Message) {
    let is_taken = |name: &str| request.structs.iter().any(|taken| taken.name == name);
    for one in &mut response.structs {
        if is_taken(&one.name) {
            one.name = format!("Response{}", one.name);
        }
        for field in &mut one.fields {
            let ty = match &mut field.ty {
                Type::Array(element) => element.as_mut(),
                ty => ty,
            };
            if let Type::Struct(name) = ty
                && is_taken(name)
            {
                *name = format!("Response{name}");
            }
        }
    }
}

/// The structs of a message as they are met, each before those that it holds.
struct Structs {
    common: BTreeMap<String, Value>,
    found: Vec<Struct>,
}

impl Structs {
    /// Reads the struct `name` with its `fields`, or widens the versions of a known one.
    fn read(&mut self, name: &str, fields: &Value, versions: Versions) -> Result<(), FactsError> {
        let place = match self.found.iter().position(|known| known.name == name) {
            Some(place) => place,
            None => {
                let new = Struct { name: name.to_string(), versions, fields: Vec::new() };
                self.found.push(new);
                self.found.len() - 1
            }
        };
        let versions = self.found[place].versions.hull(versions);
        let mut read = Vec::new();
        for field in fields.as_array().ok_or(FactsError::Missing { what: "fields" })? {
            let carried = read_versions(field, "versions")?.and(versions);
            if !carried.is_empty() {
                read.push(self.read_field(field, carried)?);
            }
        }
        self.found[place].versions = versions;
        self.found[place].fields = read;
        Ok(())
    }

    fn read_field(&mut self, field: &Value, versions: Versions) -> Result<Field, FactsError> {
        let name = read_text(field, "name")?.to_string();
        if !field["flexibleVersions"].is_null() {
            return Err(FactsError::Unknown { what: "form of a single field", text: name });
        }
        let ty = self.read_type(read_text(field, "type")?, field, versions)?;
        let nullable = match field["nullableVersions"] {
            Value::Null => Versions::NONE,
            _ => read_versions(field, "nullableVersions")?.and(versions),
        };
        let mut tag = None;
        if let Some(number) = field["tag"].as_u64() {
            let tagged = read_versions(field, "taggedVersions")?;
            let is_nullable_struct = matches!(ty, Type::Struct(_)) && !nullable.is_empty();
            if tagged.and(versions) != versions || is_nullable_struct {
                return Err(FactsError::Unknown { what: "kind of tagged field", text: name });
            }
            tag = Some(number as u32);
        }
        let default = read_default(&field["default"], &ty)?;
        let is_ignorable = field["ignorable"] == Value::Bool(true);
        Ok(Field { name, ty, versions, nullable, tag, default, is_ignorable })
    }

    fn read_type(
        &mut self,
        text: &str,
        field: &Value,
        versions: Versions,
    ) -> Result<Type, FactsError> {
        Ok(match text {
            "bool" => Type::Bool,
            "int8" => Type::Integer("i8"),
            "int16" => Type::Integer("i16"),
            "uint16" => Type::Integer("u16"),
            "int32" => Type::Integer("i32"),
            "uint32" => Type::Integer("u32"),
            "int64" => Type::Integer("i64"),
            "float64" => Type::Float,
            "uuid" => Type::Uuid,
            "string" => Type::String,
            "bytes" | "records" => Type::Bytes,
            _ => match text.strip_prefix("[]") {
                Some(element) => Type::Array(Box::new(self.read_type(element, field, versions)?)),
                None => self.read_struct_type(text, field, versions)?,
            },
        })
    }

    fn read_struct_type(
        &mut self,
        name: &str,
        field: &Value,
        versions: Versions,
    ) -> Result<Type, FactsError> {
        let shared = self.common.get(name).map(|shared| shared["fields"].clone());
        let fields = shared.unwrap_or_else(|| field["fields"].clone());
        if !fields.is_array() {
            return Err(FactsError::Unknown { what: "type", text: name.to_string() });
        }
        self.read(name, &fields, versions)?;
        Ok(Type::Struct(name.to_string()))
    }
}

fn read_text<'a>(json: &'a Value, what: &'static str) -> Result<&'a str, FactsError> {
    json[what].as_str().ok_or(FactsError::Missing { what })
}

fn read_versions(json: &Value, what: &'static str) -> Result<Versions, FactsError> {
    let text = read_text(json, what)?;
    Versions::parse(text).ok_or_else(|| FactsError::Unknown { what, text: text.to_string() })
}

fn read_default(json: &Value, ty: &Type) -> Result<Default, FactsError> {
    // Schemas write numbers and bools as such or as text.
    let text = match json {
        Value::Null => return Ok(Default::Empty),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let integer = match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    match (ty, text.as_str(), integer) {
        (Type::Integer(_), _, Some(0)) | (Type::Bool, "false", _) => Ok(Default::Empty),
        (Type::Integer(_), _, Some(number)) => Ok(Default::Integer(number)),
        (Type::Bool, "true", _) => Ok(Default::True),
        (Type::String, "", _) => Ok(Default::Empty),
        (_, "null", _) => Ok(Default::Null),
        _ => Err(FactsError::Unknown { what: "default", text }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_ranges_are_read_as_written() {
        assert_eq!(Versions::parse("3+"), Some(Versions { first: 3, last: i16::MAX }));
        assert_eq!(Versions::parse("0-12"), Some(Versions { first: 0, last: 12 }));
        assert_eq!(Versions::parse("6"), Some(Versions { first: 6, last: 6 }));
        assert_eq!(Versions::parse("none"), Some(Versions::NONE));
        assert_eq!(Versions::parse("some"), None);
    }

    #[test]
    fn unstable_versions_and_their_fields_are_left_out() {
        let schema = r#"{ "apiKey": 1, "name": "A", "validVersions": "0-3",
            // a comment
            "latestVersionUnstable": true, "flexibleVersions": "2+", "fields": [
            { "name": "B", "type": "int32", "versions": "1+" },
            { "name": "C", "type": "int32", "versions": "3+" } ] }"#;
        let message = read(schema, Versions::ALL).expect("the schema is whole");
        assert_eq!(message.versions, Versions { first: 0, last: 2 });
        let names: Vec<_> = message.structs[0].fields.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["B"]);
    }

    #[test]
    fn unknown_types_and_defaults_are_refused() {
        let schema = |field: &str| {
            format!(
                r#"{{ "apiKey": 1, "name": "A", "validVersions": "0", "flexibleVersions": "none",
                "fields": [ {{ "name": "B", "versions": "0+", {field} }} ] }}"#
            )
        };
        let read_all = |schema: &str| read(schema, Versions::ALL);
        assert!(read_all(&schema(r#""type": "int32", "default": "7""#)).is_ok());
        assert!(read_all(&schema(r#""type": "int32", "default": "seven""#)).is_err());
        assert!(read_all(&schema(r#""type": "decimal""#)).is_err());
    }
}
