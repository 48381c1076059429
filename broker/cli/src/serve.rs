//! `ringmain serve`: settings from all their places, the data folder's lock, then the broker.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use control::Listening;
use runtime::{DirLock, Instant, Level, LockError, Shutdown, host_name, say};
use server::{
    AdminListener, BrokerError, Config, ConfigError, FolderError, LAYOUT_FILE_NAME, Settings,
    SettingsError, decode_layout,
};
use storage::Layout;

use crate::command_line::ServeOptions;

/// How long a data folder may be in use by another process: the writes that a killed broker leaves
/// behind take milliseconds, and one that is told to stop takes seconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// Why a broker did not run.
#[derive(Debug)]
pub enum ServeError {
    /// A setting that does not exist.
    Settings(SettingsError),
    /// A value that can't be.
    Config(ConfigError),
    /// The file of settings can't be read.
    NoConfig {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file or folder can't be used.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The data folder can't be made or locked.
    NoFolder {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another process uses the data folder, and does not end.
    FolderInUse(PathBuf),
    /// The data folder belongs to Apache Kafka.
    KafkasFolder(PathBuf),
    /// The data folder is not one of ours.
    Folder(FolderError),
    /// The address for those who watch can't be had.
    Admin {
        /// Which.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The broker did not start.
    Broker(BrokerError),
}

impl ServeError {
    /// 2 for what the operator wrote, 1 for what the machine refused (as sysexits' 70 is a
    /// broker's own fail-stop).
    pub fn exit_code(&self) -> u8 {
        match self {
            ServeError::Settings(_) | ServeError::Config(_) => 2,
            ServeError::NoConfig { .. }
            | ServeError::Io { .. }
            | ServeError::NoFolder { .. }
            | ServeError::FolderInUse(_)
            | ServeError::KafkasFolder(_)
            | ServeError::Folder(_)
            | ServeError::Admin { .. }
            | ServeError::Broker(_) => 1,
        }
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Settings(e) => e.fmt(f),
            ServeError::Config(e) => e.fmt(f),
            ServeError::NoConfig { path, error } => {
                write!(f, "--config {}: {error}; name a file that can be read", path.display())
            }
            ServeError::Io { path, error } => write!(f, "{}: {error}", path.display()),
            ServeError::NoFolder { path, error } => write!(
                f,
                "log.dirs={}: {error}; name a folder that this user may make or write",
                path.display()
            ),
            ServeError::FolderInUse(path) => write!(
                f,
                "log.dirs={0} was in use for all of {1} s: stop the broker that runs on it \
                 (`fuser {0}/.lock` tells its process), or name another folder",
                path.display(),
                LOCK_PATIENCE.as_secs()
            ),
            ServeError::KafkasFolder(path) => write!(
                f,
                "log.dirs={0} holds Apache Kafka's data ({0}/meta.properties), which Ringmain does \
                 not read; name another folder",
                path.display()
            ),
            ServeError::Folder(e) => e.fmt(f),
            ServeError::Admin { address, error } => write!(
                f,
                "ringmain.admin.listener={address}: {error}; name a free address of this machine, \
                 or leave it empty"
            ),
            ServeError::Broker(e) => e.fmt(f),
        }
    }
}

/// Runs a broker until it is asked to stop. The process runs since `began`.
pub fn run(options: &ServeOptions, began: Instant) -> Result<(), ServeError> {
    let settings = gather(options).map_err(|e| *e)?;
    let config = Config::check(&settings, host_name().as_deref()).map_err(ServeError::Config)?;
    for warning in settings.warnings() {
        eprintln!("ringmain: warning: {warning}");
    }
    if cfg!(feature = "known-bad-forget-producer-state") {
        eprintln!("ringmain: warning: this build forgets its producers: it is for tests alone");
    }
    let folder = config.data_folder.as_path();
    let no_folder = |error| ServeError::NoFolder { path: folder.to_path_buf(), error };
    if folder.join("meta.properties").exists() {
        return Err(ServeError::KafkasFolder(folder.to_path_buf()));
    }
    std::fs::create_dir_all(folder).map_err(no_folder)?;
    let on_wait = || {
        let (folder, seconds) = (folder.display(), LOCK_PATIENCE.as_secs());
        eprintln!("ringmain: {folder} is in use: waiting up to {seconds} s for its broker to end");
    };
    let lock = DirLock::acquire(folder, LOCK_PATIENCE, on_wait).map_err(|e| match e {
        LockError::InUse => ServeError::FolderInUse(folder.to_path_buf()),
        LockError::Io(error) => no_folder(error),
    })?;
    let layout = read_layout(folder)?;
    // Clients are told where it is, who know nothing of our working directory.
    let data_folder = std::path::absolute(folder).map_err(no_folder)?;
    let config = Config { data_folder, ..config.clone() };
    let listening = config.admin.map(listen).transpose()?.flatten();
    // It ends when this function does: after the broker, which it watches to the end.
    let mut control = None;
    let watch = |observer| match listening.map(|listening| listening.serve(observer)).transpose() {
        Ok(serving) => control = serving,
        Err(e) => say(Level::Warn, "control", format_args!("nobody can watch: no thread ({e})")),
    };
    let ended = server::run(&config, layout, &lock, Shutdown::new(), began, watch);
    drop(control);
    ended.map_err(ServeError::Broker)
}

/// Binds the address for those who watch. The default's port may be another broker's on the same
/// machine: that stops no broker.
fn listen(admin: AdminListener) -> Result<Option<Listening>, ServeError> {
    let AdminListener { address, is_given } = admin;
    match Listening::bind(address) {
        Ok(listening) => Ok(Some(listening)),
        Err(error) if is_given => Err(ServeError::Admin { address, error }),
        Err(error) => {
            let line = format_args!(
                "{address} can't be had ({error}): no metrics are served; set \
                 ringmain.admin.listener to a free address, or leave it empty"
            );
            say(Level::Warn, "control", line);
            Ok(None)
        }
    }
}

fn gather(options: &ServeOptions) -> Result<Settings, Box<ServeError>> {
    let mut settings = Settings::new();
    let refused = |e| Box::new(ServeError::Settings(e));
    if let Some(path) = &options.config {
        let bytes = std::fs::read(path)
            .map_err(|error| Box::new(ServeError::NoConfig { path: path.clone(), error }))?;
        settings.set_properties(&path.display().to_string(), &bytes).map_err(refused)?;
    }
    settings.set_environment(std::env::vars_os()).map_err(refused)?;
    for setting in &options.settings {
        settings.set_argument(setting).map_err(refused)?;
    }
    Ok(settings)
}

fn read_layout(folder: &Path) -> Result<Option<Layout>, ServeError> {
    let path = folder.join(LAYOUT_FILE_NAME);
    match std::fs::read(&path) {
        Ok(bytes) => decode_layout(&bytes, &path).map(Some).map_err(ServeError::Folder),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ServeError::Io { path, error }),
    }
}
