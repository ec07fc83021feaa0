//! `--expect`: what a run has to reach.

use std::fmt;
use std::str::FromStr;

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A time, written with its unit: `50ms`.
    Time,
    /// A number.
    Number,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
}

/// All figures that may be expected, their unit and what they are.
pub const FIGURES: [(&str, Unit, &str); 29] = [
    ("p50", Unit::Time, "median of the scenario's main latency"),
    ("p90", Unit::Time, "the same, nine in ten"),
    ("p99", Unit::Time, "the same, 99 in 100"),
    ("p999", Unit::Time, "the same, 999 in 1,000"),
    ("max", Unit::Time, "the longest of them"),
    ("publish.p50", Unit::Time, "broadcast to its answer"),
    ("publish.p99", Unit::Time, "broadcast to its answer"),
    ("feed.p50", Unit::Time, "page of the feed"),
    ("feed.p99", Unit::Time, "page of the feed"),
    ("open.p99", Unit::Time, "opening a socket, to its WELCOME"),
    ("return", Unit::Time, "storm: until the last has all that it missed"),
    ("reads", Unit::Number, "storm: reads of its database by the hub meanwhile"),
    ("lost", Unit::Number, "activities that a subscriber was owed and did not get"),
    ("doubled", Unit::Number, "activities that came twice"),
    ("out-of-order", Unit::Number, "activities that came after a later one"),
    ("foreign", Unit::Number, "messages of another organisation"),
    ("violations", Unit::Number, "all promises that were broken"),
    ("failed", Unit::Number, "requests that were refused or not answered"),
    ("closed", Unit::Number, "sockets that the server closed"),
    ("sockets", Unit::Number, "sockets open at the end"),
    ("opened/s", Unit::Number, "sockets opened a second"),
    ("delivered", Unit::Number, "messages received in the measured time"),
    ("delivered/s", Unit::Number, "messages received a second"),
    ("delivered/cpu-s", Unit::Number, "messages received a second of the server's CPU"),
    ("published/s", Unit::Number, "broadcasts acknowledged a second"),
    ("read/s", Unit::Number, "pages of the feed a second"),
    ("kib/socket", Unit::Number, "the server's memory for a socket, in KiB"),
    ("cpu/10000-sockets", Unit::Time, "the server's CPU to accept 10,000 sockets"),
    ("generator", Unit::Number, "share of one core that the generator used, from 0 to 1"),
];

/// One thing that a run has to reach: `p99<50ms`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// The figure, one of [`FIGURES`].
    pub figure: &'static str,
    /// How it has to compare.
    pub relation: Relation,
    /// With what: milliseconds, or a number.
    pub bound: f64,
}

/// All that a run has to reach: `p99<50ms,lost=0`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expectations(pub Vec<Expectation>);

impl Expectation {
    /// Whether a figure of this value is as expected.
    #[expect(clippy::float_cmp, reason = "equality is for counts, which are whole")]
    pub fn holds(&self, value: f64) -> bool {
        match self.relation {
            Relation::Below => value < self.bound,
            Relation::AtMost => value <= self.bound,
            Relation::Equal => value == self.bound,
            Relation::AtLeast => value >= self.bound,
            Relation::Above => value > self.bound,
        }
    }
}

/// The unit of a figure.
pub(super) fn unit_of(figure: &str) -> Unit {
    FIGURES.iter().find(|(name, ..)| *name == figure).map_or(Unit::Number, |(_, unit, _)| *unit)
}

/// In the order in which they are looked for: the longer first.
const RELATIONS: [(&str, Relation); 6] = [
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("==", Relation::Equal),
    ("<", Relation::Below),
    (">", Relation::Above),
    ("=", Relation::Equal),
];

/// Times, in milliseconds.
const TIMES: [(&str, f64); 5] = [("ns", 1e-6), ("us", 1e-3), ("µs", 1e-3), ("ms", 1.0), ("s", 1e3)];

impl FromStr for Expectation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = text.find(['<', '>', '=']).ok_or_else(|| {
            format!(
                "{text:?} compares nothing: write a figure, one of < <= = >= >, and a value, as in p99<50ms"
            )
        })?;
        let (name, rest) = text.split_at(found);
        let (relation, value) = RELATIONS
            .iter()
            .find_map(|(sign, relation)| Some((*relation, rest.strip_prefix(sign)?.trim())))
            .ok_or_else(|| format!("{text:?} compares nothing"))?;
        let name = name.trim();
        let (figure, unit, _) = FIGURES.iter().find(|(known, ..)| *known == name).ok_or_else(|| {
            let known: Vec<&str> = FIGURES.iter().map(|(known, ..)| *known).collect();
            format!("{name:?} is no figure; there are {}", known.join(", "))
        })?;
        let bound = match unit {
            Unit::Number => {
                number(value).ok_or_else(|| format!("{name} is a number, which {value:?} is not"))?
            }
            Unit::Time => time(value).ok_or_else(|| {
                format!("{name} is a time, which {value:?} is not: write it as 50ms, 200us or 1.5s")
            })?,
        };
        Ok(Self { figure, relation, bound })
    }
}

fn number(text: &str) -> Option<f64> {
    let is_number = text.starts_with(|first: char| first.is_ascii_digit())
        && text.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    text.parse().ok().filter(|_| is_number)
}

fn time(text: &str) -> Option<f64> {
    TIMES.iter().find_map(|(unit, factor)| Some(number(text.strip_suffix(unit)?.trim_end())? * factor))
}

impl FromStr for Expectations {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("expects nothing: write it as p99<50ms,lost=0".to_owned());
        }
        text.split(',').map(|part| part.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = RELATIONS.iter().rev().find(|(_, relation)| *relation == self.relation);
        let unit = if unit_of(self.figure) == Unit::Time { "ms" } else { "" };
        write!(f, "{}{}{}{unit}", self.figure, sign.map_or("", |(sign, _)| sign), self.bound)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn expectations_are_read() {
        let Expectations(read) = "p99<50ms, lost=0,delivered/s >= 1000,return<=1.5s".parse().unwrap();
        let found: Vec<_> = read.iter().map(|one| (one.figure, one.relation, one.bound)).collect();
        assert_eq!(
            found,
            [
                ("p99", Relation::Below, 50.0),
                ("lost", Relation::Equal, 0.0),
                ("delivered/s", Relation::AtLeast, 1000.0),
                ("return", Relation::AtMost, 1500.0),
            ]
        );
        assert!(read[0].holds(49.9) && !read[0].holds(50.0));
        assert!(read[1].holds(0.0) && !read[1].holds(1.0));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let refused = |text: &str, words: &str| {
            let error = text.parse::<Expectations>().unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        };
        refused("", "expects nothing");
        refused("p99", "compares nothing");
        refused("p98<1ms", "no figure");
        refused("p99<50", "is a time");
        refused("lost=0ms", "is a number");
        refused("lost=", "is a number");
        refused("lost=inf", "is a number");
        refused("p99<50ms,,lost=0", "compares nothing");
        refused("p99<-1ms", "is a time");
        refused("lost=<0", "is a number");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            figure in 0..FIGURES.len(), relation in 0..RELATIONS.len(), bound in 0u32..1_000_000,
        ) {
            let (figure, relation) = (FIGURES[figure].0, RELATIONS[relation].1);
            let written = Expectation { figure, relation, bound: f64::from(bound) / 4.0 };
            prop_assert_eq!(written.to_string().parse(), Ok(written));
        }

        #[test]
        fn anything_is_read_without_panic(text in "\\PC{0,40}") {
            drop(text.parse::<Expectations>());
        }
    }
}
