//! Writes the code that writes one struct.

use std::fmt::Write;

use crate::codegen::codec::{condition, is_set};
use crate::codegen::facts::{Field, Message, Struct, Type};

/// The body of a function that has `self`, `writer` and `version`.
pub fn body(message: &Message, one: &Struct) -> String {
    let mut code = String::new();
    for field in one.fields.iter().filter(|field| field.tag.is_none()) {
        code += &untagged(one, field);
    }
    if !message.flexible.and(one.versions).is_empty() {
        code += &tagged(one);
    }
    code
}

fn untagged(one: &Struct, field: &Field) -> String {
    let write = carried(field);
    let Some(carries) = condition(field.versions, one.versions) else {
        return write + "\n";
    };
    if field.is_ignorable {
        return format!("if {carries} {{ {write} }}\n");
    }
    let refuse = refuse(field);
    format!("if {carries} {{ {write} }} else if {} {{ {refuse} }}\n", is_set(field))
}

fn refuse(field: &Field) -> String {
    format!("writer.refuse(EncodeError::NotInVersion {{ field: \"{}\" }});", field.label())
}

/// Writes a field in the versions that carry it.
fn carried(field: &Field) -> String {
    if !field.is_option() {
        return non_null(&field.ty, field, &format!("self.{}", field.rust_name()), "self.");
    }
    let (name, label) = (field.rust_name(), field.label());
    let by = |kind: &str| match &field.ty {
        Type::String => format!("writer.{kind}_string(\"{label}\", self.{name}.as_deref());"),
        Type::Bytes => format!("writer.{kind}_bytes(\"{label}\", self.{name}.as_deref());"),
        Type::Array(element) => format!(
            "writer.{kind}_array(\"{label}\", self.{name}.as_deref(), |writer, element| {{ {} }});",
            write_element(element, field)
        ),
        Type::Struct(_) => format!(
            "writer.{kind}_struct(self.{name}.as_ref(), |writer, value| \
             value.encode(writer, version));"
        ),
        ty => unreachable!("the schema language has no nullable {ty:?}"),
    };
    if field.nullable.is_empty() {
        return by("non_null");
    }
    match condition(field.nullable, field.versions) {
        Some(may_be_null) => {
            format!("if {may_be_null} {{ {} }} else {{ {} }}", by("nullable"), by("non_null"))
        }
        None => by("nullable"),
    }
}

/// Writes `value`, a place of type `ty`; arrays and strings are taken by reference.
fn non_null(ty: &Type, field: &Field, value: &str, owner: &str) -> String {
    let label = field.label();
    // What an element's closure gets is a reference already.
    let (copied, borrowed) = match owner {
        "self." => (value.to_string(), format!("&{value}")),
        _ => (format!("*{value}"), value.to_string()),
    };
    match ty {
        Type::Bool => format!("writer.bool({copied});"),
        Type::Integer(name) => format!("writer.{name}({copied});"),
        Type::Float => format!("writer.f64({copied});"),
        Type::Uuid => format!("writer.uuid({copied});"),
        Type::String => format!("writer.string(\"{label}\", {borrowed});"),
        Type::Bytes => format!("writer.byte_array(\"{label}\", {borrowed});"),
        Type::Struct(_) => format!("{value}.encode(writer, version);"),
        Type::Array(element) => format!(
            "writer.array(\"{label}\", {borrowed}, |writer, element| {{ {} }});",
            write_element(element, field)
        ),
    }
}

fn write_element(element: &Type, field: &Field) -> String {
    non_null(element, field, "element", "")
}

/// Writes the tagged fields that are not at their default, and how many they are.
fn tagged(one: &Struct) -> String {
    let mut fields: Vec<_> = one.fields.iter().filter_map(|f| f.tag.map(|tag| (tag, f))).collect();
    fields.sort_by_key(|&(tag, _)| tag);
    let (mut conditions, mut counts, mut writes) = (String::new(), Vec::new(), String::new());
    for (tag, field) in fields {
        let name = format!("has_{}", field.label());
        let condition = condition(field.versions, one.versions);
        let is_set = is_set(field);
        let has = match &condition {
            Some(carries) => format!("{carries} && {is_set}"),
            None => is_set.clone(),
        };
        writeln!(conditions, "let {name} = {has};").expect("a string takes all");
        if condition.is_some() && !field.is_ignorable {
            let refuse = refuse(field);
            writeln!(conditions, "if {is_set} && !{name} {{ {refuse} }}")
                .expect("a string takes all");
        }
        counts.push(format!("u32::from({name})"));
        let write = carried(field);
        writeln!(writes, "if {name} {{ writer.tagged_field({tag}, |writer| {{ {write} }}); }}")
            .expect("a string takes all");
    }
    let count = if counts.is_empty() { "0".to_string() } else { counts.join(" + ") };
    format!("{conditions}writer.tagged_field_count({count});\n{writes}")
}
