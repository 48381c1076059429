//! Writes the code that reads one struct.

use std::fmt::Write;

use crate::codegen::codec::{condition, default_value};
use crate::codegen::facts::{Field, Message, Struct, Type};

/// The body of a function that has `reader` and `version` and gives the struct.
pub fn body(message: &Message, one: &Struct) -> String {
    let is_flexible = !message.flexible.and(one.versions).is_empty();
    let mut code = String::from("Ok(Self {\n");
    for field in &one.fields {
        let value = match field.tag {
            Some(_) => default_value(field),
            None => value(message, one, field),
        };
        writeln!(code, "{}: {value},", field.rust_name()).expect("a string takes all");
    }
    code += "})";
    if !is_flexible {
        return code;
    }
    // The tagged fields stand behind all others.
    let code = code.strip_prefix("Ok(").and_then(|code| code.strip_suffix(")"));
    let value = code.expect("it was put on above");
    match one.fields.iter().any(|field| field.tag.is_some()) {
        true => format!("let mut this = {value};\n{}\nOk(this)", tagged(message, one)),
        false if one.fields.is_empty() => format!("reader.skip_tagged_fields()?;\nOk({value})"),
        false => format!("let this = {value};\nreader.skip_tagged_fields()?;\nOk(this)"),
    }
}

/// The value of an untagged field, with its default in versions without it.
fn value(message: &Message, one: &Struct, field: &Field) -> String {
    let value = carried(message, field);
    match condition(field.versions, one.versions) {
        Some(carries) => format!("if {carries} {{ {value} }} else {{ {} }}", default_value(field)),
        None => value,
    }
}

/// The value of a field in the versions that carry it.
fn carried(message: &Message, field: &Field) -> String {
    let plain = non_null(message, &field.ty, field) + "?";
    if !field.is_option() {
        return plain;
    }
    if field.nullable.is_empty() {
        return format!("Some({plain})");
    }
    let nullable = nullable(message, field) + "?";
    match condition(field.nullable, field.versions) {
        Some(may_be_null) => format!("if {may_be_null} {{ {nullable} }} else {{ Some({plain}) }}"),
        None => nullable,
    }
}

fn non_null(message: &Message, ty: &Type, field: &Field) -> String {
    match ty {
        Type::Bool => "reader.bool()".to_string(),
        Type::Integer(name) => format!("reader.{name}()"),
        Type::Float => "reader.f64()".to_string(),
        Type::Uuid => "reader.uuid()".to_string(),
        Type::String => "reader.string()".to_string(),
        Type::Bytes => "reader.bytes().map(<[u8]>::to_vec)".to_string(),
        Type::Struct(name) => format!("{name}::decode(reader, version)"),
        Type::Array(element) => format!("reader.array({})", elements(message, element, field)),
    }
}

fn nullable(message: &Message, field: &Field) -> String {
    match &field.ty {
        Type::String => "reader.nullable_string()".to_string(),
        Type::Bytes => "reader.nullable_bytes().map(|bytes| bytes.map(<[u8]>::to_vec))".to_string(),
        Type::Struct(_) => {
            format!("reader.nullable_struct(|reader| {})", non_null(message, &field.ty, field))
        }
        Type::Array(element) => {
            format!("reader.nullable_array({})", elements(message, element, field))
        }
        ty => unreachable!("the schema language has no nullable {ty:?}"),
    }
}

fn elements(message: &Message, element: &Type, field: &Field) -> String {
    let min_size = message.min_size(element, field.versions);
    format!("{min_size}, |reader| {}", non_null(message, element, field))
}

fn tagged(message: &Message, one: &Struct) -> String {
    let mut arms = String::new();
    let flexible = message.flexible.and(one.versions);
    for field in &one.fields {
        let Some(tag) = field.tag else { continue };
        let guard = match condition(field.versions, flexible) {
            Some(carries) => format!(" if {carries}"),
            None => String::new(),
        };
        let (name, value) = (field.rust_name(), carried(message, field));
        writeln!(arms, "{tag}{guard} => this.{name} = {value},").expect("a string takes all");
    }
    format!(
        "reader.tagged_fields(|tag, reader| {{
            match tag {{ {arms} _ => return Ok(Known::No), }}
            Ok(Known::Yes)
        }})?;"
    )
}
