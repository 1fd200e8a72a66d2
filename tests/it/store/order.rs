//! A card's neighbours, as the databases find them, against the whole list.

use boardcast::domain::{Column, Neighbours, Place, PlaceKey, PlaceQuery, Wanted};

use super::*;
use crate::support::chance::Chance;

fn at(id: &str, rank: &str, status: Option<&str>) -> Entity {
    let mut task = task("p", id, json!({"status": status, "sprintId": 7}));
    task.rank = Some(Rank::restore(rank.to_owned()));
    task
}

fn query(card: &str, wanted: Wanted) -> PlaceQuery {
    PlaceQuery {
        project: project("p"),
        card: id(card),
        wanted,
    }
}

async fn neighbours(db: &Database, query: &PlaceQuery) -> Neighbours {
    let mut tx = db.store.begin().await.unwrap();
    tx.neighbours(query).await.unwrap()
}

both_databases! {
    async fn the_order_is_by_bytes_and_of_live_tasks(db: &Database) {
        let mut dead = at("dead", "a0V", None);
        dead.deleted = Some(stamp(2));
        let mut unplaced = task("p", "unplaced", json!({}));
        unplaced.rank = None;
        let mut elsewhere = at("elsewhere", "zzV", None);
        elsewhere.project = project("q");
        let mut tasks = vec![dead, unplaced, elsewhere, entity("p", Kind::Epic, "epic", json!({}))];
        for (id, rank) in [("1", "b0V"), ("2", "Z1V"), ("3", "a1V"), ("4", "B1V"), ("5", "a-V")] {
            tasks.push(at(id, rank, Some("todo")));
        }
        save(&db.store, tasks).await;
        let column = Column { lane: Some("todo".to_owned()), sprint: Some("7".to_owned()) };
        let mut order = Vec::new();
        for index in 0..5 {
            let wanted = Wanted::Place(Place::Position(index + 1), column.clone());
            let found = neighbours(db, &query("nobody", wanted)).await;
            assert_eq!(found.skipped, index);
            order.push(found.entries[0].id.to_string());
        }
        assert_eq!(order, ["4", "2", "5", "3", "1"]);
        let after = neighbours(db, &query("1", Wanted::Place(Place::After(id("3")), column.clone()))).await;
        assert_eq!(after.entries.len(), 1, "the card is no neighbour of its own");
        let missing = neighbours(db, &query("1", Wanted::Place(Place::Before(id("dead")), column))).await;
        assert_eq!(missing.entries[0].id.as_str(), "3", "the last one");
        let taken = neighbours(db, &query("9", Wanted::Rank(Rank::restore("a-V".to_owned())))).await;
        let ids: Vec<_> = taken.entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids, ["5", "3"]);
        let free = neighbours(db, &query("9", Wanted::Rank(Rank::restore("free".to_owned())))).await;
        assert!(free.entries.is_empty());
    }
}

/// What the whole list says of a place: the ranks before and after it.
fn expected(list: &[Entity], query: &PlaceQuery) -> (Option<String>, Option<String>) {
    let others: Vec<_> = list.iter().filter(|task| task.id != query.card).collect();
    let rank = |task: &Entity| task.rank.as_ref().unwrap().to_string();
    let place = |id: &EntityId| others.iter().position(|task| task.id == *id);
    let after = |at: usize| {
        (
            others.get(at).map(|task| rank(task)),
            others.get(at + 1).map(|task| rank(task)),
        )
    };
    let before = |at: usize| {
        (
            at.checked_sub(1).map(|before| rank(others[before])),
            Some(rank(others[at])),
        )
    };
    let end = (others.last().map(|task| rank(task)), None);
    match &query.wanted {
        Wanted::Place(Place::After(id), _) => place(id).map_or(end, after),
        Wanted::Place(Place::Before(id), _) => place(id).map_or(end, before),
        Wanted::Place(Place::Between(low, high), _) => match (place(low), place(high)) {
            (Some(low), _) => after(low),
            (None, Some(high)) => before(high),
            (None, None) => end,
        },
        Wanted::Place(Place::Own(wanted), column) => {
            let keyed: Vec<_> = (0..others.len())
                .filter(|at| Column::of(others[*at]) == *column)
                .filter_map(|at| Some((PlaceKey::in_fields(&others[at].fields)?, at)))
                .collect();
            let low = keyed.iter().filter(|(key, _)| key <= wanted).max();
            match (low, keyed.iter().min()) {
                (Some((_, low)), _) => after(*low),
                (None, Some((_, high))) => before(*high),
                (None, None) => (None, None),
            }
        }
        Wanted::Place(Place::Index(index) | Place::Position(index), column) => {
            let column: Vec<_> = (0..others.len())
                .filter(|at| {
                    others[*at].lane() == column.lane
                        && others[*at].plain("sprintId") == column.sprint
                })
                .collect();
            match (*index).min(column.len()).checked_sub(1) {
                Some(previous) => after(column[previous]),
                None => column.first().map_or(end, |first| before(*first)),
            }
        }
        Wanted::Rank(_) => unreachable!("it is tested above"),
    }
}

/// The same of what was loaded, by the rules.
fn shown(found: &Neighbours, query: &PlaceQuery) -> (Option<String>, Option<String>) {
    let mut entries: Vec<_> = found
        .entries
        .iter()
        .filter(|entry| entry.id != query.card)
        .collect();
    entries.sort_by(|a, b| (&a.rank, &a.id).cmp(&(&b.rank, &b.id)));
    entries.dedup();
    let rank = |at: usize| entries.get(at).map(|entry| entry.rank.to_string());
    let place = |id: &EntityId| entries.iter().position(|entry| entry.id == *id);
    let after = |at: usize| (rank(at), rank(at + 1));
    let before = |at: usize| (at.checked_sub(1).and_then(rank), rank(at));
    let end = (entries.last().map(|entry| entry.rank.to_string()), None);
    match &query.wanted {
        Wanted::Place(Place::After(id), _) => place(id).map_or(end, after),
        Wanted::Place(Place::Before(id), _) => place(id).map_or(end, before),
        Wanted::Place(Place::Between(low, high), _) => match (place(low), place(high)) {
            (Some(low), _) => after(low),
            (None, Some(high)) => before(high),
            (None, None) => end,
        },
        Wanted::Place(Place::Own(wanted), column) => {
            let is_of = |at: &usize| entries[*at].column == *column && entries[*at].key.is_some();
            let keyed: Vec<_> = (0..entries.len())
                .filter(is_of)
                .map(|at| (entries[at].key.clone(), at))
                .collect();
            let wanted = Some(wanted.clone());
            let low = keyed.iter().filter(|(key, _)| *key <= wanted).max();
            match (low, keyed.iter().min()) {
                (Some((_, low)), _) => after(*low),
                (None, Some((_, high))) => before(*high),
                (None, None) => (None, None),
            }
        }
        Wanted::Place(Place::Index(index) | Place::Position(index), column) => {
            let column: Vec<_> = (0..entries.len())
                .filter(|at| entries[*at].column == *column)
                .collect();
            match (*index).min(found.skipped + column.len()).checked_sub(1) {
                Some(previous) => after(column[previous - found.skipped]),
                None => column.first().map_or(end, |first| before(*first)),
            }
        }
        Wanted::Rank(_) => unreachable!("it is tested above"),
    }
}

both_databases! {
    async fn a_few_neighbours_say_of_a_place_what_the_whole_list_says(db: &Database) {
        let mut chance = Chance::from_seed();
        let long = "x".repeat(300);
        let statuses = [None, Some("todo"), Some("done"), Some(long.as_str())];
        let mut list = Vec::new();
        for n in 0..60 {
            // Some are longer than an index takes.
            let beginning = if chance.below(3) == 0 { "m".repeat(600) } else { "m".to_owned() };
            let mut card = at(&n.to_string(), &format!("{beginning}{:03}V", chance.below(900)), statuses[chance.below(4)]);
            if chance.below(3) == 0 {
                card.fields.remove("sprintId");
            }
            if chance.below(2) == 0 {
                let position = [json!(chance.below(10)), json!("a0"), json!(-1.5), json!({"x": 1})];
                card.fields.insert("position", position[chance.below(4)].clone());
            }
            list.push(card);
        }
        list.sort_by(|a, b| (&a.rank, &a.id).cmp(&(&b.rank, &b.id)));
        save(&db.store, list.clone()).await;
        for _ in 0..400 {
            let mut any = || id(&chance.below(70).to_string());
            let (card, one, other) = (any(), any(), any());
            let column = Column {
                lane: statuses[chance.below(4)].map(str::to_owned),
                sprint: [None, Some("7".to_owned())][chance.below(2)].clone(),
            };
            if card == one || card == other {
                continue;
            }
            let place = match chance.below(5) {
                4 => Place::Own(PlaceKey::of(&json!(chance.below(12))).unwrap()),
                0 => Place::After(one),
                1 => Place::Before(one),
                2 => Place::Between(one, other),
                _ => Place::Position(chance.below(40)),
            };
            let query = query(card.as_str(), Wanted::Place(place, column));
            let found = neighbours(db, &query).await;
            assert_eq!(shown(&found, &query), expected(&list, &query), "{query:?} {found:?}");
        }
    }
}
