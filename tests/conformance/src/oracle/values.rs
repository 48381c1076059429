//! Makes up values for any message by its schema, as neutral JSON, from a seed.
//!
//! The schema is read here once more, apart from the generator of the messages: what that one
//! misreads must not be misread here too.

use serde_json::{Map, Value, json};

/// Which values a message gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Every field at its default.
    Defaults,
    /// Null wherever the version has it, else as `Mixed`.
    Nulls,
    /// The smallest and largest numbers, strings and arrays around the steps of their length.
    Extremes,
    /// 130 elements in the outermost arrays.
    Many,
    /// A bit of everything.
    Mixed,
}

impl Shape {
    /// Every shape.
    pub const ALL: &[Self] =
        &[Self::Defaults, Self::Nulls, Self::Extremes, Self::Many, Self::Mixed];
}

/// A source of numbers that follow from a seed (the SplitMix64 sequence).
#[derive(Clone, Debug)]
pub struct Seed(pub u64);

impl Seed {
    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// One value of the message that `schema` describes, as it can stand in `version`.
pub fn make(schema: &Value, version: i16, shape: Shape, seed: &mut Seed) -> Value {
    let mut maker = Maker { schema, version, shape, seed, depth: 0 };
    maker.object(&schema["fields"])
}

/// The message in the form in which two can be compared: the fields that `version` carries, with
/// the defaults of those that are absent.
pub fn normal(schema: &Value, version: i16, message: &Value) -> Value {
    normal_object(schema, version, &schema["fields"], message)
}

struct Maker<'a> {
    schema: &'a Value,
    version: i16,
    shape: Shape,
    seed: &'a mut Seed,
    depth: u32,
}

impl Maker<'_> {
    fn object(&mut self, fields: &Value) -> Value {
        let mut object = Map::new();
        for field in carried(fields, self.version) {
            object.insert(name(field), self.field(field));
        }
        Value::Object(object)
    }

    fn field(&mut self, field: &Value) -> Value {
        let may_be_null = is_in(&field["nullableVersions"], self.version);
        // Every second tagged field is absent: what a peer sees most.
        let is_absent = field["tag"].is_u64() && self.seed.below(2) == 0;
        if self.shape == Shape::Defaults || is_absent {
            return default(self.schema, self.version, field);
        }
        let is_null = self.shape == Shape::Nulls || self.seed.below(4) == 0;
        if may_be_null && is_null {
            return Value::Null;
        }
        self.value(field, text(&field["type"]))
    }

    fn value(&mut self, field: &Value, ty: &str) -> Value {
        if let Some(element) = ty.strip_prefix("[]") {
            let count = self.count();
            self.depth += 1;
            let elements = (0..count).map(|_| self.value(field, element)).collect();
            self.depth -= 1;
            return elements;
        }
        match ty {
            "bool" => (self.seed.below(2) == 0).into(),
            // Typed error codes can only hold numbers that exist.
            "int16" if name(field).ends_with("rrorCode") => {
                (self.seed.below(135) as i64 - 1).into()
            }
            "int8" => self.integer(i8::MIN.into(), i8::MAX.into()),
            "int16" => self.integer(i16::MIN.into(), i16::MAX.into()),
            "uint16" => self.integer(0, u16::MAX.into()),
            "int32" => self.integer(i32::MIN.into(), i32::MAX.into()),
            "uint32" => self.integer(0, u32::MAX.into()),
            "int64" => self.integer(i64::MIN, i64::MAX),
            // Few digits: how JSON rounds a number is not what is compared here.
            "float64" => (self.seed.next_u64() as i16 as f64 / 16.0).into(),
            "uuid" => {
                let halves =
                    [self.seed.next_u64().to_be_bytes(), self.seed.next_u64().to_be_bytes()];
                let bytes = std::array::from_fn(|index| halves[index / 8][index % 8]);
                protocol::Uuid(bytes).to_string().into()
            }
            "string" => self.string().into(),
            "bytes" | "records" => {
                let bytes: Vec<u8> = (0..self.size()).map(|_| self.seed.next_u64() as u8).collect();
                protocol::oracle::to_base64(&bytes).into()
            }
            _ => self.object(struct_fields(self.schema, field, ty)),
        }
    }

    fn integer(&mut self, min: i64, max: i64) -> Value {
        let any = self.seed.next_u64() as i64;
        let within = if min == i64::MIN { any } else { min + any.rem_euclid(max - min + 1) };
        let edge = self.seed.pick(&[min, max, 0_i64.max(min), (-1_i64).max(min), 1]);
        if self.shape == Shape::Extremes { edge.into() } else { within.into() }
    }

    fn string(&mut self) -> String {
        if self.shape == Shape::Extremes {
            return self.seed.pick(&["", "x", "ü"]).repeat(self.size());
        }
        let word = self.seed.pick(&["topic", "grüße", "日本語", "🚀", "a\"\\\n\u{0}b", ""]);
        format!("{word}{}", self.seed.below(1000))
    }

    /// A length in bytes; the extreme ones are where a variable-length integer grows.
    fn size(&mut self) -> usize {
        match self.shape {
            Shape::Extremes => self.seed.pick(&[0, 1, 126, 127, 128, 129, 8_191, 16_383]),
            _ => self.seed.below(40) as usize,
        }
    }

    fn count(&mut self) -> u64 {
        match (self.shape, self.depth) {
            (Shape::Many, 0) => 130,
            (Shape::Extremes, 0) => self.seed.pick(&[0, 1, 5]),
            _ => self.seed.below(4),
        }
    }
}

fn normal_object(schema: &Value, version: i16, fields: &Value, object: &Value) -> Value {
    let mut normal = Map::new();
    for field in carried(fields, version) {
        let value = match object.get(name(field)) {
            Some(value) => normal_value(schema, version, field, text(&field["type"]), value),
            None => default(schema, version, field),
        };
        normal.insert(name(field), value);
    }
    Value::Object(normal)
}

fn normal_value(schema: &Value, version: i16, field: &Value, ty: &str, value: &Value) -> Value {
    match value {
        Value::Array(elements) => {
            let ty = ty.strip_prefix("[]").expect("only an array's type has an array");
            elements.iter().map(|one| normal_value(schema, version, field, ty, one)).collect()
        }
        Value::Object(_) => normal_object(schema, version, struct_fields(schema, field, ty), value),
        other => other.clone(),
    }
}

fn default(schema: &Value, version: i16, field: &Value) -> Value {
    let ty = text(&field["type"]);
    let written = match &field["default"] {
        Value::String(written) => written.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    match ty {
        _ if written == "null" => Value::Null,
        "bool" => (written == "true").into(),
        "string" => written.into(),
        "bytes" | "records" => "".into(),
        "uuid" => protocol::Uuid::ZERO.to_string().into(),
        "float64" => 0.0.into(),
        _ if ty.starts_with("[]") => json!([]),
        _ if ty.contains("int") && ty.starts_with(['i', 'u']) => match written.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(digits, 16).expect("it is a number").into(),
            None if written.is_empty() => 0.into(),
            None => written.parse::<i64>().expect("it is a number").into(),
        },
        _ => normal_object(schema, version, struct_fields(schema, field, ty), &json!({})),
    }
}

/// The fields that `version` carries.
fn carried(fields: &Value, version: i16) -> impl Iterator<Item = &Value> {
    let fields = fields.as_array().expect("a struct has fields");
    fields.iter().filter(move |field| is_in(&field["versions"], version))
}

/// The fields of a struct type, which stand in the field itself or beside the message.
fn struct_fields<'a>(schema: &'a Value, field: &'a Value, ty: &str) -> &'a Value {
    let shared = schema["commonStructs"].as_array();
    let shared = shared.into_iter().flatten().find(|one| one["name"] == ty);
    &shared.unwrap_or(field)["fields"]
}

/// The name in JSON: the schema's, with a small first letter.
fn name(field: &Value) -> String {
    let name = text(&field["name"]);
    name[..1].to_lowercase() + &name[1..]
}

fn text(json: &Value) -> &str {
    json.as_str().expect("the schema has a text there")
}

/// Whether `version` is in a range such as `3+`, `0-12`, `6` or `none`.
fn is_in(range: &Value, version: i16) -> bool {
    let Some(range) = range.as_str().filter(|range| *range != "none") else { return false };
    let number = |text: &str| text.parse::<i16>().expect("a version is a number");
    match (range.strip_suffix('+'), range.split_once('-')) {
        (Some(first), _) => number(first) <= version,
        (_, Some((first, last))) => (number(first)..=number(last)).contains(&version),
        _ => number(range) == version,
    }
}
