//! Takes out of a tool's output what no two brokers, or runs, have in common.

use serde_json::Value;

/// A Kafka UUID in its text form.
const UUID_CHARS: usize = 22;

/// `output` with names for the broker's address, its data folder, the ids of topics and the times
/// of records, and without the places of exceptions in Java's code.
pub fn text(output: &str, address: &str, data: &str) -> String {
    let named = output.replace(address, "<address>").replace(data, "<data>");
    let is_place = |line: &str| line.starts_with("\tat ") || line.starts_with("\t... ");
    let lines = named.lines().filter(|line| !is_place(line)).map(|line| {
        let line = replaced(line, "TopicId: ", "<id>", |rest| UUID_CHARS.min(rest.len()));
        let line = replaced(&line, "CreateTime:", "<ms>", leading_digits);
        in_order(line) + "\n"
    });
    lines.collect()
}

/// `text` with `name` in the place of each number.
pub fn without_figures(text: &str) -> String {
    let mut words = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(at);
        let is_part = |c: char| c.is_ascii_digit() || c == '.';
        let end = number.find(|c| !is_part(c)).unwrap_or(number.len());
        words.push_str(before);
        words.push('#');
        rest = &number[end..];
    }
    words + rest
}

/// `line` with `name` for what follows each `label`, as long as `length` says of the rest.
fn replaced(line: &str, label: &str, name: &str, length: fn(&str) -> usize) -> String {
    let mut parts = line.split(label);
    let mut replaced = parts.next().unwrap_or_default().to_string();
    for part in parts {
        replaced.push_str(label);
        replaced.push_str(name);
        replaced.push_str(part.get(length(part)..).unwrap_or_default());
    }
    replaced
}

/// Lists in one order: topics' settings are in that of a hash, and inside of JSON a broker's
/// partitions are in that of another one.
fn in_order(line: String) -> String {
    if let Some((start, settings)) = line.split_once("\tConfigs: ") {
        let mut settings: Vec<&str> = settings.split(',').collect();
        settings.sort_unstable();
        return format!("{start}\tConfigs: {}", settings.join(","));
    }
    match serde_json::from_str::<Value>(&line) {
        Ok(mut json @ Value::Object(_)) => {
            sort_arrays(&mut json);
            json.to_string()
        }
        _ => line,
    }
}

fn sort_arrays(json: &mut Value) {
    match json {
        Value::Array(elements) => {
            elements.iter_mut().for_each(sort_arrays);
            elements.sort_by_cached_key(Value::to_string);
        }
        Value::Object(fields) => fields.values_mut().for_each(sort_arrays),
        _ => {}
    }
}

fn leading_digits(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::{text, without_figures};

    #[test]
    fn what_differs_between_brokers_gets_names_and_the_rest_stays() {
        let output = "Topic: a\tTopicId: 8Zk1-HXT3_VqQ1y7m2wAbC\tPartitionCount: 3\n\
                      127.0.0.1:20000 has /d/data/a-0\n\tat Some.java:17\n\
                      CreateTime:1700000000000\tkey\n";
        let expected = "Topic: a\tTopicId: <id>\tPartitionCount: 3\n\
                        <address> has <data>/a-0\nCreateTime:<ms>\tkey\n";
        assert_eq!(text(output, "127.0.0.1:20000", "/d/data"), expected);
    }

    #[test]
    fn lists_come_in_one_order() {
        let output = "Topic: a\tConfigs: segment.bytes=1,retention.ms=-1\n\
                      {\"b\":[{\"p\":\"a-2\"},{\"p\":\"a-1\"}]}\n";
        let expected = "Topic: a\tConfigs: retention.ms=-1,segment.bytes=1\n\
                        {\"b\":[{\"p\":\"a-1\"},{\"p\":\"a-2\"}]}\n";
        assert_eq!(text(output, "127.0.0.1:20000", "/d/data"), expected);
    }

    #[test]
    fn figures_vanish_and_words_stay() {
        let said = "2000 records sent, 5847.95 records/sec (0.56 MB/sec)";
        assert_eq!(without_figures(said), "# records sent, # records/sec (# MB/sec)");
    }
}
