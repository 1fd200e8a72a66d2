//! A card's neighbours: a few rows, found through an index, however many cards there are.

use super::tx::in_tx;
use super::{StoreError, Tx};
use super::{postgres, sqlite};
use crate::domain::{
    Column, EntityId, Neighbours, OrderEntry, Place, PlaceQuery, ProjectId, Wanted,
};

/// A direction in the order of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// The tasks of a project among which a card's place is looked for, without the card.
#[derive(Debug, Clone, Copy)]
pub(super) struct Others<'a> {
    pub(super) project: &'a ProjectId,
    pub(super) card: &'a EntityId,
}

impl Tx {
    /// What must be known of a project's order to find a card's place.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn neighbours(&mut self, query: &PlaceQuery) -> Result<Neighbours, StoreError> {
        let others = Others {
            project: &query.project,
            card: &query.card,
        };
        match &query.wanted {
            Wanted::Rank(rank) => {
                let taken = in_tx!(self, order::at(others, rank))?;
                self.beside(others, taken, Side::After).await
            }
            Wanted::Place(Place::After(id), _) => {
                let anchor = in_tx!(self, order::entry(others, id))?;
                self.beside_or_last(others, anchor, Side::After).await
            }
            Wanted::Place(Place::Before(id), _) => {
                let anchor = in_tx!(self, order::entry(others, id))?;
                self.beside_or_last(others, anchor, Side::Before).await
            }
            Wanted::Place(Place::Between(after, before), _) => {
                let low = in_tx!(self, order::entry(others, after))?;
                let high = in_tx!(self, order::entry(others, before))?;
                let mut neighbours = match low {
                    Some(low) => self.beside(others, Some(low), Side::After).await?,
                    None => {
                        self.beside_or_last(others, high.clone(), Side::Before)
                            .await?
                    }
                };
                neighbours.entries.extend(high);
                Ok(neighbours)
            }
            Wanted::Place(Place::Position(index), column) => {
                self.at_index(others, column, *index).await
            }
        }
    }

    async fn at_index(
        &mut self,
        others: Others<'_>,
        column: &Column,
        index: usize,
    ) -> Result<Neighbours, StoreError> {
        let Some(skipped) = index.checked_sub(1) else {
            let first = in_tx!(self, order::nth(others, column, 0))?;
            return self.beside_or_last(others, first, Side::Before).await;
        };
        let previous = match in_tx!(self, order::nth(others, column, skipped))? {
            Some(previous) => Some(previous),
            // The column is not that long. As an index that is too high means its end, it may be taken for longer.
            None => in_tx!(self, order::last_of_column(others, column))?,
        };
        let skipped = if previous.is_some() { skipped } else { 0 };
        let neighbours = self.beside_or_last(others, previous, Side::After).await?;
        Ok(Neighbours {
            skipped,
            ..neighbours
        })
    }

    /// A task and its neighbour on one side; without the task, the last one of the project.
    async fn beside_or_last(
        &mut self,
        others: Others<'_>,
        anchor: Option<OrderEntry>,
        side: Side,
    ) -> Result<Neighbours, StoreError> {
        if anchor.is_some() {
            return self.beside(others, anchor, side).await;
        }
        let last = in_tx!(self, order::last(others))?;
        Ok(Neighbours {
            entries: last.into_iter().collect(),
            skipped: 0,
        })
    }

    async fn beside(
        &mut self,
        others: Others<'_>,
        anchor: Option<OrderEntry>,
        side: Side,
    ) -> Result<Neighbours, StoreError> {
        let Some(anchor) = anchor else {
            return Ok(Neighbours::default());
        };
        let next = in_tx!(self, order::next(others, &anchor, side))?;
        Ok(Neighbours {
            entries: std::iter::once(anchor).chain(next).collect(),
            skipped: 0,
        })
    }
}
