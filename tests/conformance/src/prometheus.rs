//! A real Prometheus that watches one broker, and what it can be asked.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use launch::Site;
use serde_json::Value;

use crate::client::Client;
use crate::{http, wait, workspace};

/// Starting, and the first scrapes, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running Prometheus; it is ended when this is dropped.
#[derive(Debug)]
pub struct Prometheus {
    address: SocketAddr,
    _process: Client,
}

impl Prometheus {
    /// Starts one that scrapes `target` twice a second; all its files lie below `folder`.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn watch(folder: &Path, target: SocketAddr) -> Self {
        fs::create_dir_all(folder).expect("a folder below target can be made");
        let site = Site::new(folder).unwrap_or_else(|error| panic!("{error}"));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, site.port()));
        let config = folder.join("prometheus.yml");
        let jobs = format!("{{job_name: ringmain, static_configs: [{{targets: ['{target}']}}]}}");
        let text = format!("global: {{scrape_interval: 500ms}}\nscrape_configs: [{jobs}]\n");
        fs::write(&config, text).expect("a fresh folder can be written");
        let mut command = Command::new(workspace::prometheus().join("prometheus"));
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        let process = Client::program(folder, "prometheus", &mut command);
        wait::until("Prometheus' start", DEADLINE, || {
            http::get(address, "/-/ready").ok().filter(|answer| answer.status == 200)
        });
        Self { address, _process: process }
    }

    /// Waits until it has scraped its one target; the target's health and the last error.
    ///
    /// # Panics
    ///
    /// If it never does.
    pub fn health(&self) -> (String, String) {
        wait::until("Prometheus' first scrape", DEADLINE, || {
            let found = self.api("/api/v1/targets?state=active");
            let target = &found["data"]["activeTargets"][0];
            let text = |name: &str| target[name].as_str().unwrap_or_default().to_string();
            let (health, error) = (text("health"), text("lastError"));
            (!health.is_empty() && health != "unknown").then_some((health, error))
        })
    }

    /// What an expression gives now, if it gives one number.
    pub fn query(&self, expression: &str) -> Option<f64> {
        let found = self.api(&format!("/api/v1/query?query={}", encoded(expression)));
        let value = &found["data"]["result"][0]["value"][1];
        value.as_str()?.parse().ok()
    }

    /// Waits until an expression gives `wanted`.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn await_value(&self, expression: &str, wanted: f64) {
        wait::until(&format!("{expression} = {wanted}"), DEADLINE, || {
            (self.query(expression) == Some(wanted)).then_some(())
        });
    }

    fn api(&self, target: &str) -> Value {
        let answer = http::get(self.address, target);
        let answer = answer.unwrap_or_else(|error| panic!("Prometheus: {error}"));
        serde_json::from_str(&answer.body)
            .unwrap_or_else(|error| panic!("{target}: {error}\n{}", answer.body))
    }
}

/// What Prometheus' own tool has to say against a page of metrics; nothing if it is good.
///
/// # Panics
///
/// If it can't be run.
pub fn faults_in(page: &Path) -> String {
    let input = fs::File::open(page).expect("the page was written by the test");
    let mut promtool = Command::new(workspace::prometheus().join("promtool"));
    promtool.args(["check", "metrics"]).stdin(Stdio::from(input));
    let output = promtool.output().unwrap_or_else(|e| panic!("promtool: {e}; see xtask peers"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    match output.status.success() {
        true => said,
        false => format!("{}\n{said}", output.status),
    }
}

/// An expression as a part of an address.
fn encoded(expression: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let mut text = String::new();
    for byte in expression.bytes() {
        match plain(byte) {
            true => text.push(char::from(byte)),
            false => text += &format!("%{byte:02X}"),
        }
    }
    text
}
