//! What a page of the feed should have.

use memchr::memmem::find_iter;

/// The newest seq of a page, and whether the page is as it should be: newest first, from before where it was asked
/// for, and without holes if it is a page of everything (`is_of_all`). It looks at the numbers alone, so that a page
/// costs little.
pub(super) fn judge(page: &[u8], before: Option<i64>, is_of_all: bool) -> (Option<i64>, bool) {
    const FIELD: &[u8] = br#","seq":"#;
    let (mut newest, mut expected) = (None, before.map(|before| before - 1));
    for at in find_iter(page, FIELD) {
        let digits = page.get(at + FIELD.len()..).unwrap_or_default();
        let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
        let seq = digits.fold(0i64, |seq, digit| seq.wrapping_mul(10).wrapping_add(i64::from(digit - b'0')));
        newest.get_or_insert(seq);
        if expected.is_some_and(|expected| if is_of_all { expected != seq } else { expected < seq }) {
            return (newest, false);
        }
        expected = Some(seq - 1);
    }
    // Of everything, a page may be empty at the end of the log alone.
    (newest, !is_of_all || expected.is_none_or(|expected| expected == 0) || page.len() > EMPTY)
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
        let is_whole = |seqs: &[i64], before| judge(&page(seqs), before, true).1;
        assert!(is_whole(&[9, 8, 7], None));
        assert!(is_whole(&[9, 8, 7], Some(10)));
        assert!(is_whole(&[], Some(1)));
        assert!(!is_whole(&[9, 7], None));
        assert!(!is_whole(&[7, 8], None));
        assert!(!is_whole(&[8, 7], Some(10)));
        assert!(!is_whole(&[], Some(10)));
    }

    #[test]
    fn a_page_of_some_is_in_order() {
        let judged = |seqs: &[i64], before| judge(&page(seqs), before, false);
        assert_eq!(judged(&[9, 7, 2], Some(20)), (Some(9), true));
        assert_eq!(judged(&[], Some(20)), (None, true));
        assert_eq!(judged(&[9, 7, 8], None), (Some(9), false));
        assert_eq!(judged(&[9, 9], None), (Some(9), false));
        assert_eq!(judged(&[20], Some(20)), (Some(20), false));
    }
}
