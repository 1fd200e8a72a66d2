//! A card's neighbours are found through indexes, whatever the place: nothing reads a project, or sorts a column.

use boardcast::domain::Column;

use super::*;

both_databases! {
    async fn no_place_takes_the_whole_project(db: &Database) {
        let tasks = (0..2000).map(|number| {
            let mut task = task("p", &format!("t{number:04}"), json!({"status": "todo", "position": number * 1000}));
            task.rank = Some(Rank::restore(format!("i{number:04}V")));
            task
        });
        save(&db.store, tasks.collect()).await;
        for (lane, sprint) in [(Some("todo"), None), (Some("todo"), Some("s")), (None, None)] {
            let column = Column { lane: lane.map(str::to_owned), sprint: sprint.map(str::to_owned) };
            let mut tx = db.store.begin().await.unwrap();
            let plans = tx.place_plans(&project("p"), &column).await.unwrap();
            assert_eq!(plans.len(), 8);
            for (sql, plan) in plans {
                let told = format!("{sql}\n{plan}");
                assert!(plan.contains("entities_") || plan.contains("entities_pkey") , "{told}");
                let lines: Vec<_> = plan.lines().map(str::trim).collect();
                let reads_all = |line: &&str| line.contains("Seq Scan") || line.starts_with("SCAN entities");
                assert!(!lines.iter().any(reads_all), "{told}");
                // The few very long ranks of Postgres are sorted; no others are.
                let sorts = lines.iter().filter(|line| line.contains("TEMP B-TREE") || line.contains("Sort  (")).count();
                let long = lines.iter().filter(|line| line.contains("entities_long_ranks")).count();
                assert!(sorts <= 2 * long, "{told}");
            }
        }
    }
}
