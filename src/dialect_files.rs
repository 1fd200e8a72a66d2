//! Finds the dialects that a server is told to speak: those that come with it, and files.

use std::path::Path;

use include_dir::{Dir, include_dir};

use crate::config::Config;
use crate::contract::dialect::{CustomEvents, Dialect, DialectError, Dialects};

/// The files that come with the program.
static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/dialects");

/// Dialects of a server.
const MAX_DIALECTS: usize = 64;
/// Bytes of a file that is read at all.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a dialect cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file says something wrong.
    #[error(transparent)]
    Invalid(#[from] DialectError),
    /// There is no such file, and no dialect of that name.
    #[error("there is no dialect {name:?}: name a file, or one of {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// The file cannot be read.
    #[error("the dialect {name} cannot be read: {source}")]
    Unreadable {
        /// The file.
        name: String,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Two have the same name.
    #[error("two dialects are called {0:?}: rename one of the files")]
    Twice(String),
    /// There are too many.
    #[error("at most {MAX_DIALECTS} dialects can be loaded")]
    TooMany,
}

/// The names of the dialects that come with the program.
#[must_use]
pub fn shipped() -> Vec<&'static str> {
    let files = SHIPPED.files().map(include_dir::File::path);
    let mut names: Vec<_> = files
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .filter_map(|path| path.file_stem()?.to_str())
        .filter(|name| *name != "default")
        .collect();
    names.sort_unstable();
    names
}

/// Loads a dialect by the name of one that comes with the program, or from a file.
///
/// # Errors
///
/// See [`LoadError`].
pub fn load(name: &str, custom: &CustomEvents) -> Result<Dialect, LoadError> {
    let file = format!("{name}.toml");
    if let Some(shipped) = SHIPPED
        .get_file(&file)
        .and_then(|file| file.contents_utf8())
    {
        return Ok(Dialect::read(
            name,
            &format!("dialects/{file}"),
            shipped,
            custom,
        )?);
    }
    let path = Path::new(name);
    let unreadable = |source| LoadError::Unreadable {
        name: name.to_owned(),
        source,
    };
    let about = match std::fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(LoadError::Unknown {
                name: name.to_owned(),
                known: shipped().join(", "),
            });
        }
        Err(error) => return Err(unreadable(error)),
    };
    if about.len() > MAX_BYTES {
        let too_large = std::io::Error::other(format!("it is larger than {MAX_BYTES} bytes"));
        return Err(unreadable(too_large));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    Ok(Dialect::read(stem.unwrap_or(name), name, &text, custom)?)
}

/// What happens to events that nobody knows: those that a learning server has no other word for go to the room.
fn custom_events(config: &Config) -> CustomEvents {
    let said = config.custom_events.clone();
    if config.learn {
        said.before(&CustomEvents::all_logged())
    } else {
        said
    }
}

/// Loads the dialects of the settings.
///
/// # Errors
///
/// See [`LoadError`].
pub fn load_all(config: &Config) -> Result<Dialects, LoadError> {
    let custom = &custom_events(config);
    if config.dialects.len() > MAX_DIALECTS {
        return Err(LoadError::TooMany);
    }
    let mut loaded: Vec<Dialect> = Vec::new();
    for name in config.dialects.iter().filter(|name| *name != "default") {
        let dialect = load(name, custom)?;
        if dialect.name == "default" || loaded.iter().any(|other| other.name == dialect.name) {
            return Err(LoadError::Twice(dialect.name));
        }
        loaded.push(dialect);
    }
    Ok(Dialects::new(Dialect::common(custom), loaded))
}
