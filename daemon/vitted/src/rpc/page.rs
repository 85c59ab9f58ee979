//! Pages of a list.
use crate::status::Refusal;

const SIZE_DEFAULT: usize = 100;
const SIZE_MAX: usize = 1000;

/// One page of `items`, which are sorted by the key that `key` gives; tokens are the last key of a page.
///
/// Tokens stay valid while entries come and go: the next page begins after the key, wherever that is.
///
/// # Errors
/// When the token is none of ours.
pub fn page<T>(
    items: impl IntoIterator<Item = T>,
    size: u32,
    token: &str,
    key: impl Fn(&T) -> String,
) -> Result<(Vec<T>, String), Refusal> {
    let size = match size as usize {
        0 => SIZE_DEFAULT,
        size => size.min(SIZE_MAX),
    };
    if token.len() > 4096 {
        return Err(Refusal::bad_field("page_token", "is not one that this service gave"));
    }
    let mut rest = items.into_iter().skip_while(|item| !token.is_empty() && key(item).as_str() <= token);
    let page: Vec<T> = rest.by_ref().take(size).collect();
    let next = match (rest.next(), page.last()) {
        (Some(_), Some(last)) => key(last),
        (None, _) | (_, None) => String::new(),
    };
    Ok((page, next))
}

/// A number as a key: sorted as text, it is sorted as a number.
pub fn number_key(number: u64) -> String {
    format!("{number:020}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pages_join_to_the_whole_list() {
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let (items, next) = page(1..=7_u64, 3, &token, |&n| number_key(n)).unwrap();
            seen.extend(items);
            if next.is_empty() {
                break;
            }
            token = next;
        }
        assert_eq!(seen, (1..=7).collect::<Vec<_>>());
    }
}
