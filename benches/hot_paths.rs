//! What is done for every command or every delivery, by itself: `cargo bench --bench hot_paths`.

fn main() {}
