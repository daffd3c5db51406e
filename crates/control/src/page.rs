//! Pages of Describe results (Amazon EC2 API Reference, "Pagination").

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Error;
use std::str::FromStr;

/// The page that a request asks for.
pub(crate) struct Page {
    size: usize,
    after: Option<String>,
}

impl Page {
    /// The bounds that most actions have for `MaxResults`.
    pub(crate) const USUAL: std::ops::RangeInclusive<i32> = 5..=1000;

    /// Reads `MaxResults` and `NextToken`; a size does not go together with explicit ids.
    pub(crate) fn parse(
        max_results: Option<i32>,
        next_token: &Option<String>,
        ids_given: bool,
        bounds: std::ops::RangeInclusive<i32>,
    ) -> Result<Self, Error> {
        if let Some(size) = max_results {
            if ids_given {
                return Err(Error::InvalidParameterCombination(
                    "The parameter MaxResults cannot be used with the parameter that lists IDs in the same request"
                        .to_owned(),
                ));
            }
            if !bounds.contains(&size) {
                return Err(Error::InvalidParameterValue(format!(
                    "Value ( {size} ) for parameter maxResults is invalid. Expecting a value between {} and {}.",
                    bounds.start(),
                    bounds.end()
                )));
            }
        }
        let size = usize::try_from(max_results.unwrap_or(*bounds.end())).unwrap_or(usize::MAX);
        let after = next_token
            .as_deref()
            .filter(|t| !t.is_empty())
            .map(decode)
            .transpose()?;
        Ok(Self { size, after })
    }

    /// The id behind which the page begins, for who would look at every row before it otherwise.
    pub(crate) fn after<K: FromStr>(&self) -> Result<Option<K>, Error> {
        let after = self.after.as_deref().map(str::parse::<K>);
        // A token that is no id was not given out.
        after.transpose().map_err(|_| Error::InvalidNextToken)
    }

    /// [`Page::take`] of rows that stand in the order of their ids. Looks at no row behind the page but the first.
    pub(crate) fn take_by_id<T, K: Ord + FromStr + ToString>(
        self,
        rows: impl Iterator<Item = T>,
        key: impl Fn(&T) -> K,
    ) -> Result<(Vec<T>, Option<String>), Error> {
        let after = self.after::<K>()?;
        let size = self.size;
        let mut rest = rows.filter(|row| after.as_ref().is_none_or(|after| key(row) > *after));
        let page: Vec<T> = rest.by_ref().take(size).collect();
        let more = rest.next().is_some();
        let last = page.last().filter(|_| more);
        let token = last.map(|last| URL_SAFE_NO_PAD.encode(key(last).to_string()));
        Ok((page, token))
    }

    /// Cuts the page out of rows that stand in the order of their keys, and tells where to go on.
    pub(crate) fn take<T>(
        self,
        rows: Vec<T>,
        key: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let mut rest = rows.into_iter().skip_while(|row| match &self.after {
            Some(after) => key(row) <= *after,
            None => false,
        });
        let page: Vec<T> = rest.by_ref().take(self.size).collect();
        let more = rest.next().is_some();
        let token = page
            .last()
            .filter(|_| more)
            .map(|last| URL_SAFE_NO_PAD.encode(key(last)));
        (page, token)
    }
}

fn decode(token: &str) -> Result<String, Error> {
    let bytes = URL_SAFE_NO_PAD
        .decode(token)
        .map_err(|_| Error::InvalidNextToken)?;
    String::from_utf8(bytes).map_err(|_| Error::InvalidNextToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_join_to_the_whole() {
        let rows: Vec<String> = (10..33).map(|n| n.to_string()).collect();
        let (mut seen, mut token) = (Vec::new(), None);
        loop {
            let page = Page::parse(Some(5), &token, false, Page::USUAL).unwrap();
            let (part, next) = page.take(rows.clone(), Clone::clone);
            seen.extend(part);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, rows);
    }

    #[test]
    fn bad_sizes_and_tokens_are_refused() {
        assert!(Page::parse(Some(4), &None, false, Page::USUAL).is_err());
        assert!(Page::parse(Some(5), &None, true, Page::USUAL).is_err());
        assert!(Page::parse(None, &Some("é".into()), false, Page::USUAL).is_err());
    }
}
