//! What a page of the feed should have.

use memchr::memmem::find_iter;

/// Whether the page of an admin, newest first, begins where it should and has no holes: an admin may see
/// everything. It looks at the numbers alone, so that a page costs little.
pub(super) fn is_whole(page: &[u8], before: Option<i64>) -> bool {
    const FIELD: &[u8] = br#","seq":"#;
    let mut expected = before.map(|before| before - 1);
    for at in find_iter(page, FIELD) {
        let digits = page.get(at + FIELD.len()..).unwrap_or_default();
        let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
        let seq = digits.fold(0i64, |seq, digit| seq.wrapping_mul(10).wrapping_add(i64::from(digit - b'0')));
        if expected.is_some_and(|expected| expected != seq) {
            return false;
        }
        expected = Some(seq - 1);
    }
    // A page may be empty at the end of the log alone.
    expected.is_none_or(|expected| expected == 0) || page.len() > EMPTY
}

/// The length of a list without items.
const EMPTY: usize = br#"{"items":[],"nextCursor":null}"#.len();

#[cfg(test)]
mod tests {
    use super::*;

    fn page(seqs: &[i64]) -> Vec<u8> {
        let items: Vec<String> =
            seqs.iter().map(|seq| format!(r#"{{"type":"X","seq":{seq},"id":""}}"#)).collect();
        format!(r#"{{"items":[{}],"nextCursor":null}}"#, items.join(",")).into_bytes()
    }

    #[test]
    fn holes_and_a_wrong_start_are_seen() {
        assert!(is_whole(&page(&[9, 8, 7]), None));
        assert!(is_whole(&page(&[9, 8, 7]), Some(10)));
        assert!(is_whole(&page(&[]), Some(1)));
        assert!(!is_whole(&page(&[9, 7]), None));
        assert!(!is_whole(&page(&[7, 8]), None));
        assert!(!is_whole(&page(&[8, 7]), Some(10)));
        assert!(!is_whole(&page(&[]), Some(10)));
    }
}
