//! Many rows as the parameters of one statement: one JSON text on SQLite, one array a column on Postgres.

use std::borrow::Cow;

use serde::Serialize;
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

/// A column's name, and what is in it.
pub(super) type Column = (&'static str, Type);

/// What is in a column; on Postgres, texts become what the table has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Type {
    Flag,
    Number,
    Text,
    Json,
    Uuid,
}

/// A value in a row.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Value<'v> {
    Flag(bool),
    Number(Option<i64>),
    Text(Option<Cow<'v, str>>),
}

/// Rows that have the same columns.
pub(super) struct Rows<'v, const N: usize> {
    pub(super) columns: &'static [Column; N],
    rows: Vec<[Value<'v>; N]>,
}

impl<'v, const N: usize> Rows<'v, N> {
    pub(super) fn new(
        columns: &'static [Column; N],
        rows: impl Iterator<Item = [Value<'v>; N]>,
    ) -> Self {
        let rows = rows.collect();
        Self { columns, rows }
    }

    /// The columns' names, separated by commas.
    pub(super) fn names(&self) -> String {
        names(self.columns)
    }

    /// The rows as what [`from_json`] reads.
    pub(super) fn as_lists(&self) -> Vec<&[Value<'v>]> {
        self.rows.iter().map(<[_; N]>::as_slice).collect()
    }

    /// Binds the arrays that [`from_arrays`] reads.
    pub(super) fn bind_columns<'q>(
        &self,
        query: Query<'q, Postgres, PgArguments>,
    ) -> Query<'q, Postgres, PgArguments> {
        let columns = self.columns.iter().enumerate();
        columns.fold(query, |query, (place, (_, kind))| {
            let column = self.rows.iter().map(|row| &row[place]);
            match kind {
                Type::Flag => query.bind(column.map(Value::flag).collect::<Vec<_>>()),
                Type::Number => query.bind(column.map(Value::number).collect::<Vec<_>>()),
                Type::Text | Type::Json | Type::Uuid => {
                    query.bind(column.map(Value::text).collect::<Vec<_>>())
                }
            }
        })
    }
}

impl Value<'_> {
    fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => *number,
            _ => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.as_deref(),
            _ => None,
        }
    }
}

/// The columns' names, separated by commas.
pub(super) fn names(columns: &[Column]) -> String {
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// Reads rows from a list of lists, for SQLite; `list` is the parameter that holds it. `jsonb_each` keeps each list parsed, where
/// `json_each` would write it as text and each column would parse that again. The condition makes room for `ON CONFLICT`
/// behind it.
pub(super) fn from_json(columns: &[Column], list: &str) -> String {
    let columns = columns.iter().enumerate();
    let values: Vec<_> = columns
        .map(|(place, (name, _))| format!("value ->> {place} AS {name}"))
        .collect();
    let values = values.join(", ");
    format!("SELECT {values} FROM jsonb_each({list}) WHERE true")
}

/// Reads rows from an array for each column, for Postgres; `first` is the number of the first parameter.
pub(super) fn from_arrays(columns: &[Column], first: usize) -> String {
    let (mut values, mut arrays, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (name, kind)) in (first..).zip(columns) {
        let (array, cast) = match kind {
            Type::Flag => ("boolean", ""),
            Type::Number => ("bigint", ""),
            Type::Text => ("text", ""),
            Type::Json => ("text", "::jsonb"),
            Type::Uuid => ("text", "::uuid"),
        };
        values.push(format!("{name}{cast}"));
        arrays.push(format!("${number}::{array}[]"));
        names.push(*name);
    }
    let (values, arrays, names) = (values.join(", "), arrays.join(", "), names.join(", "));
    format!("SELECT {values} FROM UNNEST({arrays}) AS given ({names})")
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl<'v> From<Option<&'v str>> for Value<'v> {
    fn from(text: Option<&'v str>) -> Self {
        Self::Text(text.map(Cow::from))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl From<Option<String>> for Value<'_> {
    fn from(text: Option<String>) -> Self {
        Self::Text(text.map(Cow::from))
    }
}
