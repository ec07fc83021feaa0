//! `roomcast config check`.

use anyhow::bail;
use clap::{Arg, ArgMatches, CommandFactory as _};
use url::Url;

use super::Cli;
use crate::config::Config;
use crate::config::environment::{Environment, Source};
use crate::db::probe;

/// Shows the settings, then what is wrong, then what is risky. Fails where a start would be refused.
pub(super) async fn run(
    config: &Config,
    environment: &Environment,
    matches: &ArgMatches,
    database: bool,
) -> anyhow::Result<()> {
    let command = Cli::command();
    let settings = command.get_arguments().filter_map(|argument| {
        let variable = argument.get_env()?.to_str()?;
        Some((argument, variable, environment.source(matches, argument.get_id().as_str(), variable)))
    });
    let lines: Vec<[String; 3]> = settings
        .map(|(argument, variable, source)| {
            [variable.to_owned(), value(argument, matches, source), source.name().to_owned()]
        })
        .collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let (names, values) = (width(0), width(1).min(60));
    for [name, value, source] in &lines {
        println!("{}", format!("{name:<names$}  {value:<values$}  {source}").trim_end());
    }
    println!();
    let valid = config.validate();
    let mut risks = config.risks();
    if database && valid.is_ok() {
        let found = probe::run(&config.database_url()?).await?;
        println!("{}", found.summary);
        risks.extend(found.risks(config.database.max_connections));
    }
    for risk in &risks {
        println!("risky: {risk}");
    }
    match valid {
        Err(error) => bail!("{error:#}"),
        Ok(()) if risks.is_empty() => println!("the settings are fine"),
        Ok(()) => println!("the hub starts with these settings"),
    }
    Ok(())
}

/// The value of a setting as it was written, a secret masked.
fn value(argument: &Arg, matches: &ArgMatches, source: Source) -> String {
    if source == Source::Unset {
        return "(unset)".to_owned();
    }
    let raw = matches.get_raw(argument.get_id().as_str());
    let values: Vec<String> =
        raw.into_iter().flatten().map(|value| value.to_string_lossy().into_owned()).collect();
    let value = values.join(",");
    if !argument.is_hide_env_values_set() {
        return value;
    }
    match value.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => masked_url(scheme, rest),
        None if value.starts_with("sqlite:") => value,
        _ => format!("({} bytes)", value.len()),
    }
}

/// Whether this may stand before the `://` of a URL (RFC 3986, section 3.1). What holds a URL further on is none.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
}

/// A URL without what may be secret in it: whom it signs in, with what, and its options.
fn masked_url(scheme: &str, rest: &str) -> String {
    // What is no URL may be a password anywhere; and one may hold what begins the options, and then nobody can
    // tell where it ends.
    let hidden = |(_, options): (&str, &str)| options.contains('@');
    if Url::parse(&format!("{scheme}://{rest}")).is_err() || rest.split_once(['?', '#']).is_some_and(hidden) {
        return format!("{scheme}://…");
    }
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    match rest.rsplit_once('@') {
        Some((_, place)) => format!("{scheme}://…@{place}"),
        None => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_its_place_alone() {
        for (url, expected) in [
            ("postgres://u:p@h:5432/d?sslmode=require", "postgres://…@h:5432/d"),
            ("postgres://u:p@s@h/d", "postgres://…@h/d"),
            ("postgres://%2Frun%2Fpostgresql/d", "postgres://%2Frun%2Fpostgresql/d"),
            ("postgres://u:pa?ss@h/d", "postgres://…"),
            ("redis://h/0", "redis://h/0"),
            ("postgres://h/d?password=x", "postgres://h/d"),
            ("redis://h#x", "redis://h"),
            ("redis://:1#hunter22@h", "redis://…"),
            ("redis://:hunter22", "redis://…"),
            ("redis://u:hunter22", "redis://…"),
            ("redis://u:hunter22@", "redis://…"),
            ("redis://u:hunter22/x@h", "redis://…"),
        ] {
            let (scheme, rest) = url.split_once("://").unwrap();
            assert_eq!(masked_url(scheme, rest), expected);
        }
    }

    #[test]
    fn what_holds_a_url_is_none() {
        for (text, expected) in [
            ("postgres", true),
            ("rediss", true),
            ("a+b-c.1", true),
            ("", false),
            ("1a", false),
            ("Authorization: Bearer secret; Referer: https", false),
        ] {
            assert_eq!(is_scheme(text), expected, "{text:?}");
        }
    }
}
