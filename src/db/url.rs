//! Which database `DATABASE_URL` names.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A parsed `DATABASE_URL`.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `postgres://…` or `postgresql://…`, kept whole. It may hold a password and is never printed.
    Postgres(String),
    /// `sqlite:PATH`.
    Sqlite(PathBuf),
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(_) => f.write_str("postgres://…"),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        // An unknown scheme must never come to mean a new and empty file.
        match text.strip_prefix("sqlite:") {
            Some("") => Err("sqlite: needs the path of a file, as in sqlite:./data/roomcast.db".to_owned()),
            Some(path) => Ok(Self::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))),
            None => Err("must begin with postgres:// or sqlite:".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_decides() {
        assert!(matches!("postgres://u:p@h/d".parse(), Ok(DatabaseUrl::Postgres(_))));
        assert_eq!("sqlite:a/b.db".parse(), Ok(DatabaseUrl::Sqlite("a/b.db".into())));
        assert_eq!("sqlite:///srv/b.db".parse(), Ok(DatabaseUrl::Sqlite("/srv/b.db".into())));
        for bad in ["mysql://h/d", "roomcast.db", "sqlite:", ""] {
            assert!(bad.parse::<DatabaseUrl>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let url: DatabaseUrl = "postgres://user:hunter22@host/db".parse().unwrap();
        assert!(!format!("{url:?}").contains("hunter22"));
    }
}
