//! The Python clients as processes: started with their log's path, told what to do on standard
//! input, heard on standard output.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::Sender;

/// Where the clients run and whom they talk to.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub(crate) python: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    pub(crate) topic: &'static str,
    /// Where every client's words go.
    pub(crate) notices: Sender<Notice>,
}

/// What a client said; `client` is its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Since the mark, every partition has acknowledged a record that was sent after it.
    Marked { client: String, mark: u32 },
    /// The client can never go on, and says why in its log.
    Broken { client: String },
    /// Standard output ended: so does the client.
    Ended { client: String },
}

/// A running client; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) name: String,
    child: Child,
    /// `None` once the client was told to stop.
    orders: Option<ChildStdin>,
}

impl Clients {
    /// Starts `script` under `name`; its log is `log_path(name)`, its complaints `name.err`.
    pub(crate) fn start(
        &self,
        name: &str,
        script: &str,
        arguments: &[String],
    ) -> io::Result<Client> {
        let mut child = Command::new(&self.python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script))
            .args(["--bootstrap", &format!("127.0.0.1:{}", self.port), "--topic", self.topic])
            .args(arguments)
            // Compiled scripts do not belong into the source tree.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(self.complaints_path(name))?)
            .spawn()?;
        let orders = child.stdin.take();
        let words = child.stdout.take().expect("standard output was asked to be a pipe");
        self.listen(name.into(), words);
        Ok(Client { name: name.into(), child, orders })
    }

    pub(crate) fn log_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    pub(crate) fn complaints_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.err"))
    }

    /// Forwards the client's words until its output ends.
    fn listen(&self, client: String, words: ChildStdout) {
        let notices = self.notices.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(words).lines().map_while(Result::ok) {
                let mark = line.strip_prefix("marked ").and_then(|mark| mark.parse().ok());
                let client = client.clone();
                let notice = match mark {
                    Some(mark) => Notice::Marked { client, mark },
                    None if line == "broken" => Notice::Broken { client },
                    None => continue,
                };
                // It fails when nobody listens any more: the campaign has ended.
                let _ = notices.send(notice);
            }
            let _ = notices.send(Notice::Ended { client });
        });
    }
}

impl Client {
    /// Asks for a word once every partition has acknowledged a record that is sent from now on.
    pub(crate) fn mark(&mut self, mark: u32) -> io::Result<()> {
        let orders = self.orders.as_mut().expect("a stopped client is not asked for marks");
        writeln!(orders, "mark {mark}")
    }

    /// Ends the client's input, which tells it to finish and end.
    pub(crate) fn stop(&mut self) {
        self.orders = None;
    }

    /// Whether the client, whose output has ended, was content.
    pub(crate) fn succeeded(&mut self) -> io::Result<bool> {
        Ok(self.child.wait()?.success())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Both fail only if the process is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
