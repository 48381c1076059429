//! `ringmain serve`: settings from all their places, the data folder's lock, then the broker.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use runtime::{DirLock, Shutdown};
use server::{
    BrokerError, Config, ConfigError, FolderError, LAYOUT_FILE_NAME, Settings, SettingsError,
    decode_layout,
};
use storage::Layout;

use crate::command_line::ServeOptions;

/// Why a broker did not run.
#[derive(Debug)]
pub enum ServeError {
    /// A setting that does not exist.
    Settings(SettingsError),
    /// A value that can't be.
    Config(ConfigError),
    /// A file or folder can't be used.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The data folder is not one of ours.
    Folder(FolderError),
    /// The broker did not start.
    Broker(BrokerError),
}

impl ServeError {
    /// 2 for what the operator wrote, 1 for what the machine refused (as sysexits' 70 is a
    /// broker's own fail-stop).
    pub fn exit_code(&self) -> u8 {
        match self {
            ServeError::Settings(_) | ServeError::Config(_) => 2,
            ServeError::Io { .. } | ServeError::Folder(_) | ServeError::Broker(_) => 1,
        }
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Settings(e) => e.fmt(f),
            ServeError::Config(e) => e.fmt(f),
            ServeError::Io { path, error } => write!(f, "{}: {error}", path.display()),
            ServeError::Folder(e) => e.fmt(f),
            ServeError::Broker(e) => e.fmt(f),
        }
    }
}

/// Runs a broker until it is asked to stop.
pub fn run(options: &ServeOptions) -> Result<(), ServeError> {
    let settings = gather(options).map_err(|e| *e)?;
    for note in settings.notes() {
        eprintln!("ringmain: {note}");
    }
    let config = Config::check(&settings).map_err(ServeError::Config)?;
    let folder = config.data_folder.as_path();
    std::fs::create_dir_all(folder).map_err(io_at(folder))?;
    let on_wait =
        || eprintln!("ringmain: {} is in use: waiting for its broker to end", folder.display());
    let lock = DirLock::acquire(folder, on_wait).map_err(io_at(folder))?;
    let layout = read_layout(folder)?;
    server::run(&config, layout, &lock, Shutdown::new()).map_err(ServeError::Broker)
}

fn gather(options: &ServeOptions) -> Result<Settings, Box<ServeError>> {
    let mut settings = Settings::new();
    let refused = |e| Box::new(ServeError::Settings(e));
    if let Some(path) = &options.config {
        let text = std::fs::read_to_string(path).map_err(|e| Box::new(io_at(path)(e)))?;
        settings.set_properties(&path.display().to_string(), &text).map_err(refused)?;
    }
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    settings.set_environment(std::env::vars_os().filter_map(text)).map_err(refused)?;
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

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> ServeError {
    let path = path.to_path_buf();
    move |error| ServeError::Io { path, error }
}
