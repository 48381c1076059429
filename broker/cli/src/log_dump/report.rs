//! The dump's lines: aligned text for people, or one JSON object each for programs.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

/// Who reads the dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// People.
    Text,
    /// Programs.
    Json,
}

/// Why the dump of a file ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The file cannot be read; the others may be.
    Read(io::Error),
    /// Nobody can be told anything any more.
    Output(io::Error),
}

/// One thing that was found.
#[derive(Clone, Debug)]
pub(super) struct Line {
    what: &'static str,
    position: Option<u64>,
    fields: Vec<Field>,
    fault: Option<String>,
}

#[derive(Clone, Debug)]
struct Field {
    name: &'static str,
    value: Value,
    /// What a person sees, if it is not the value itself.
    text: Option<String>,
}

/// So many lines for people are held until all their columns are known, or so many bytes of them:
/// more than somebody looks at together, and no burden.
const HELD_LINES: usize = 1_000;
const HELD_BYTES: usize = 1 << 20;
/// One very long text is no reason to make all lines long.
const WIDTH_MAX: usize = 30;

/// A line for people, before the width of its columns is known.
struct Row {
    what: &'static str,
    position: Option<u64>,
    cells: Vec<Cell>,
    fault: Option<String>,
}

struct Cell {
    name: &'static str,
    /// Nothing is shown if it is empty, not even the name.
    text: String,
    is_number: bool,
}

/// Takes lines, writes them, and counts what is wrong.
pub(super) struct Report<W> {
    out: W,
    format: Format,
    file: String,
    /// Lines for people that wait for their columns.
    held: Vec<Row>,
    held_bytes: usize,
    /// The widest so far of each kind of line's fields, so that columns stay columns.
    widths: BTreeMap<(&'static str, &'static str), usize>,
    files: u64,
    faults: u64,
    unreadable: u64,
}

impl From<io::Error> for Stop {
    /// The writing side uses `?`; reading errors are wrapped where they arise.
    fn from(error: io::Error) -> Stop {
        Stop::Output(error)
    }
}

impl Line {
    /// A line about such a thing.
    pub(super) fn new(what: &'static str) -> Line {
        Line { what, position: None, fields: Vec::new(), fault: None }
    }

    /// Where it begins in its file, in bytes.
    pub(super) fn at(mut self, position: u64) -> Line {
        self.position = Some(position);
        self
    }

    /// A field that people and programs see alike.
    pub(super) fn field(mut self, name: &'static str, value: impl Into<Value>) -> Line {
        self.fields.push(Field { name, value: value.into(), text: None });
        self
    }

    /// A field that people see in other words, or not at all if there are none.
    pub(super) fn shown(
        mut self,
        name: &'static str,
        value: impl Into<Value>,
        text: String,
    ) -> Line {
        self.fields.push(Field { name, value: value.into(), text: Some(text) });
        self
    }

    /// What is wrong with it, if something is.
    pub(super) fn fault(mut self, fault: Option<String>) -> Line {
        if let Some(fault) = fault {
            let both = self.fault.take().map(|first| format!("{first}; {fault}"));
            self.fault = Some(both.unwrap_or(fault));
        }
        self
    }
}

impl Row {
    fn of(line: Line) -> Row {
        let cell = |Field { name, value, text }| {
            let is_number = value.is_number() && text.is_none();
            let text = text.unwrap_or_else(|| match value {
                Value::String(text) => text,
                Value::Bool(yes) => (if yes { "yes" } else { "no" }).to_owned(),
                value => value.to_string(),
            });
            Cell { name, text, is_number }
        };
        let cells = line.fields.into_iter().map(cell).collect();
        Row { what: line.what, position: line.position, cells, fault: line.fault }
    }
}

impl<W: Write> Report<W> {
    /// A dump onto `out`.
    pub(super) fn new(out: W, format: Format) -> Report<W> {
        Report {
            out,
            format,
            file: String::new(),
            held: Vec::new(),
            held_bytes: 0,
            widths: BTreeMap::new(),
            files: 0,
            faults: 0,
            unreadable: 0,
        }
    }

    /// From here on the lines are about that file.
    pub(super) fn begin(&mut self, path: &Path) {
        self.files += 1;
        self.file = path.display().to_string();
    }

    /// The first line about a file.
    pub(super) fn file(&mut self, kind: &'static str, size_bytes: u64) -> io::Result<()> {
        self.write_held()?;
        match self.format {
            Format::Text => writeln!(self.out, "{}: {kind}, {size_bytes} bytes", self.file),
            Format::Json => {
                self.line(Line::new("file").field("kind", kind).field("size_bytes", size_bytes))
            }
        }
    }

    /// Writes a line.
    pub(super) fn line(&mut self, line: Line) -> io::Result<()> {
        self.faults += u64::from(line.fault.is_some());
        match self.format {
            Format::Text => self.hold(Row::of(line)),
            Format::Json => self.write_json(&line),
        }
    }

    /// The current file cannot be read (further), or nobody knows what it is.
    pub(super) fn unreadable(&mut self, why: &str) -> io::Result<()> {
        self.unreadable += 1;
        self.write_held()?;
        match self.format {
            Format::Text => writeln!(self.out, "{}: !! {why}", self.file),
            Format::Json => self.write_json(&Line::new("unreadable").fault(Some(why.to_owned()))),
        }
    }

    /// A file or folder that should be there is not: damage, as in a file.
    pub(super) fn missing(&mut self, path: &Path, why: &str) -> io::Result<()> {
        self.faults += 1;
        self.write_held()?;
        self.file = path.display().to_string();
        let fault = format!("it is missing: {why}");
        match self.format {
            Format::Text => writeln!(self.out, "{}: !! {fault}", self.file),
            Format::Json => self.write_json(&Line::new("missing").fault(Some(fault))),
        }
    }

    /// The last line.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.write_held()?;
        if self.format == Format::Text {
            let of = |count, what| match count {
                1 => format!("1 {what}"),
                count => format!("{count} {what}s"),
            };
            let (files, faults) = (of(self.files, "file"), of(self.faults, "fault"));
            match (self.faults, self.unreadable) {
                (0, 0) => writeln!(self.out, "{files}, all is well"),
                (_, unreadable) => {
                    writeln!(self.out, "{files}, {faults}, {unreadable} not readable or unknown")
                }
            }?;
        }
        self.out.flush()
    }

    /// 0 if all is well, 1 if there was damage, 2 if not everything could be read.
    pub(super) fn status(&self) -> u8 {
        match (self.faults, self.unreadable) {
            (0, 0) => 0,
            (_, 0) => 1,
            _ => 2,
        }
    }

    fn hold(&mut self, row: Row) -> io::Result<()> {
        for cell in row.cells.iter().filter(|cell| !cell.text.is_empty()) {
            let width = self.widths.entry((row.what, cell.name)).or_default();
            *width = cell.text.chars().count().min(WIDTH_MAX).max(*width);
            self.held_bytes += cell.text.len();
        }
        self.held.push(row);
        match self.held.len() < HELD_LINES && self.held_bytes < HELD_BYTES {
            true => Ok(()),
            false => self.write_held(),
        }
    }

    fn write_held(&mut self) -> io::Result<()> {
        self.held_bytes = 0;
        for row in std::mem::take(&mut self.held) {
            let position = row.position.map(|at| at.to_string()).unwrap_or_default();
            let mut text = format!("{position:>12}  {:<9}", row.what);
            for Cell { name, text: cell, is_number } in &row.cells {
                // A field that no line of the kind has shown yet is no column.
                let Some(&width) = self.widths.get(&(row.what, *name)) else { continue };
                let name = name.replace('_', " ");
                text += &match is_number {
                    _ if cell.is_empty() => " ".repeat(2 + name.len() + 1 + width),
                    true => format!("  {name} {cell:>width$}"),
                    false => format!("  {name} {cell:<width$}"),
                };
            }
            match &row.fault {
                Some(fault) => writeln!(self.out, "{text}  !! {fault}")?,
                None => writeln!(self.out, "{}", text.trim_end())?,
            }
        }
        Ok(())
    }

    /// The fields keep their order, which a map of `serde_json` would not.
    fn write_json(&mut self, line: &Line) -> io::Result<()> {
        let file = Value::from(self.file.as_str());
        write!(self.out, "{{\"file\":{file},\"what\":\"{}\"", line.what)?;
        if let Some(position) = line.position {
            write!(self.out, ",\"position\":{position}")?;
        }
        for field in &line.fields {
            write!(self.out, ",\"{}\":{}", field.name, field.value)?;
        }
        if let Some(fault) = &line.fault {
            write!(self.out, ",\"fault\":{}", Value::from(fault.as_str()))?;
        }
        writeln!(self.out, "}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format) -> (String, u8) {
        let mut report = Report::new(Vec::new(), format);
        report.begin(Path::new("a/b"));
        report.file("segment", 10).expect("memory");
        for number in [7, 1_000] {
            let line = Line::new("batch").at(number).field("base_offset", number);
            let line = line.shown("time", 5, "soon".to_owned()).shown("flags", 0, String::new());
            let fault = (number > 100).then(|| "wrong".to_owned());
            report.line(line.field("whole", true).fault(fault)).expect("memory");
        }
        report.finish().expect("memory");
        (String::from_utf8(report.out.clone()).expect("text"), report.status())
    }

    #[test]
    fn people_see_columns_and_what_is_wrong() {
        let text = "\
a/b: segment, 10 bytes
           7  batch      base offset    7  time soon  whole yes
        1000  batch      base offset 1000  time soon  whole yes  !! wrong
1 file, 1 fault, 0 not readable or unknown
";
        assert_eq!(written(Format::Text), (text.to_owned(), 1));
    }

    #[test]
    fn columns_begin_at_the_same_place_in_all_lines_that_are_seen_together() {
        let mut report = Report::new(Vec::new(), Format::Text);
        for number in 0..HELD_LINES as u64 + 2 {
            let producer = if number == 5 { "4711" } else { "" };
            let line = Line::new("batch").at(number).field("offset", number);
            let line = line.shown("producer_id", -1, producer.to_owned());
            report.line(line.field("crc", "ok")).expect("memory");
        }
        assert!(!report.out.is_empty(), "what is held is bounded");
        report.finish().expect("memory");
        let text = String::from_utf8(report.out).expect("text");
        let places: Vec<_> = text.lines().filter_map(|line| line.find("crc ok")).collect();
        assert_eq!(places.len(), HELD_LINES + 2);
        assert!(places[..HELD_LINES].iter().all(|place| *place == places[0]), "{text}");

        let mut report = Report::new(Vec::new(), Format::Text);
        let value = "x".repeat(HELD_BYTES);
        report.line(Line::new("record").field("value", value.as_str())).expect("memory");
        assert!(report.out.len() > HELD_BYTES && report.held.is_empty());
    }

    #[test]
    fn programs_see_one_object_a_line_with_all_fields_in_order() {
        let (text, _) = written(Format::Json);
        let line = text.lines().last().expect("three lines");
        let expected = "{\"file\":\"a/b\",\"what\":\"batch\",\"position\":1000,\
             \"base_offset\":1000,\"time\":5,\"flags\":0,\"whole\":true,\"fault\":\"wrong\"}";
        assert_eq!(line, expected);
        for line in text.lines() {
            let parsed: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(parsed["file"], "a/b");
        }
    }

    #[test]
    fn what_cannot_be_read_weighs_more_than_damage() {
        let mut report = Report::new(Vec::new(), Format::Text);
        assert_eq!(report.status(), 0);
        report.line(Line::new("batch").fault(Some("wrong".to_owned()))).expect("memory");
        assert_eq!(report.status(), 1);
        report.unreadable("gone").expect("memory");
        assert_eq!(report.status(), 2);
    }
}
