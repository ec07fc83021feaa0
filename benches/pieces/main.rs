//! `make bench-pieces`: how long each hot piece takes, and what it allocates. `make bench-instructions`: how many
//! instructions it takes, which a busy machine does not change.
//!
//! Each piece is a function that prepares its ground and returns what is measured; the table below names them all.

mod hub;
mod room;
mod small;

use std::hint::black_box;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

/// One run of a piece.
type Run = Box<dyn FnMut()>;

/// A hot piece.
struct Piece {
    name: &'static str,
    /// How many of what it is about one run handles: deliveries, entries, tokens.
    items: usize,
    /// How often it runs where its instructions are counted.
    counted: usize,
    prepare: fn() -> Run,
}

const fn piece(name: &'static str, items: usize, counted: usize, prepare: fn() -> Run) -> Piece {
    Piece { name, items, counted, prepare }
}

const PIECES: [Piece; 11] = [
    piece("frame of 200 bytes", 1, 2000, || small::frame(200)),
    piece("frame of 4096 bytes", 1, 2000, || small::frame(4096)),
    piece("token check", 1, 200, small::token),
    piece("room of 10000, one entry for all", room::PEERS, 20, room::everyone),
    piece("room of 10000, one entry for 10", 10, 2000, room::named),
    piece("turn of 64 frames", 64, 1000, room::backlog),
    piece("turn past 4096 entries for others", 4096, 50, room::others),
    piece("append of 64, SQLite", hub::APPENDS, 10, || hub::append(hub::Store::Sqlite)),
    piece("feed page of 50, SQLite", hub::PAGE, 50, || hub::feed(hub::Store::Sqlite)),
    piece("append of 64, PostgreSQL", hub::APPENDS, 0, || hub::append(hub::Store::Postgres)),
    piece("feed page of 50, PostgreSQL", hub::PAGE, 0, || hub::feed(hub::Store::Postgres)),
];

/// Those that can run here: PostgreSQL's need one.
fn pieces() -> impl Iterator<Item = &'static Piece> {
    let has_postgres = hub::postgres_url().is_some();
    PIECES.iter().filter(move |piece| has_postgres || !piece.name.ends_with("PostgreSQL"))
}

fn find(name: &str) -> &'static Piece {
    PIECES.iter().find(|piece| piece.name == name).expect("the piece is one of the table")
}

#[divan::bench(args = pieces().map(|piece| piece.name).collect::<Vec<_>>())]
fn run(bencher: Bencher, name: &str) {
    let piece = find(name);
    let run = (piece.prepare)();
    bencher.counter(ItemsCount::new(piece.items)).bench_local(run);
}

/// Runs a piece so often and ends. Two calls that differ in nothing else differ by what those runs take.
fn count(name: &str, rounds: usize) {
    let mut run = (find(name).prepare)();
    for _ in 0..rounds {
        black_box(&mut run)();
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--counted"] => {
            for piece in PIECES.iter().filter(|piece| piece.counted > 0) {
                println!("{}\t{}", piece.name, piece.counted);
            }
        }
        ["--count", name, rounds] => count(name, rounds.parse().expect("a number of rounds")),
        _ => divan::main(),
    }
}
