//! What was measured, as a table in Markdown.

use std::fmt;

use super::Peer;
use crate::stats::median;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    /// Whether more is better, or less.
    pub(super) more_is_better: bool,
}

/// The values of each figure and peer, one for each round.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<(Figure, Peer, Vec<f64>)>);

impl Table {
    pub(super) fn more_is_better(&mut self, name: &'static str, peer: Peer, value: f64) {
        let figure = Figure {
            name,
            more_is_better: true,
        };
        self.add(figure, peer, value);
    }

    pub(super) fn less_is_better(&mut self, name: &'static str, peer: Peer, value: f64) {
        let figure = Figure {
            name,
            more_is_better: false,
        };
        self.add(figure, peer, value);
    }

    fn add(&mut self, figure: Figure, peer: Peer, value: f64) {
        let mut rows = self.0.iter_mut();
        match rows.find(|(known, of, _)| (*known, *of) == (figure, peer)) {
            Some((_, _, values)) => values.push(value),
            None => self.0.push((figure, peer, vec![value])),
        }
    }

    fn value(&self, figure: Figure, peer: Peer) -> Option<f64> {
        let mut rows = self.0.iter();
        let (_, _, values) = rows.find(|(known, of, _)| (*known, *of) == (figure, peer))?;
        Some(median(values))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| figure |")?;
        for peer in Peer::ALL {
            write!(f, " {} |", peer.name())?;
        }
        write!(f, "\n|---|---:|---:|---:|")?;
        let mut shown = Vec::new();
        for (figure, ..) in &self.0 {
            if shown.contains(figure) {
                continue;
            }
            shown.push(*figure);
            let better = if figure.more_is_better {
                "more"
            } else {
                "less"
            };
            write!(f, "\n| {} ({better} is better) |", figure.name)?;
            let node = self.value(*figure, Peer::Node);
            for peer in Peer::ALL {
                match (self.value(*figure, peer), node) {
                    (Some(value), Some(node)) if peer != Peer::Node => {
                        write!(f, " {} ({:.2} ×) |", short(value), value / node)?;
                    }
                    (Some(value), _) => write!(f, " {} |", short(value))?,
                    (None, _) => write!(f, " |")?,
                }
            }
        }
        Ok(())
    }
}

/// Three figures that count.
fn short(value: f64) -> String {
    match value {
        100.0.. => crate::stats::grouped(value),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
