//! The list of files and functions that are over a limit. It only shrinks: nothing on it may grow, and what no
//! longer needs its line must lose it.

use super::Findings;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::Path;

const PATH: &str = "xtask/tidy-allow.txt";

/// Subject, for example `file crates/x/src/y.rs`, to the lines it may have.
pub(super) struct AllowList {
    entries: BTreeMap<String, Entry>,
}

struct Entry {
    lines: usize,
    used: bool,
}

impl AllowList {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(root.join(PATH)).with_context(|| format!("reading {PATH}"))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut entries = BTreeMap::new();
        for line in text.lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((subject, lines)) = line.rsplit_once(' ') else {
                bail!("{PATH}: not understood: {line}");
            };
            let lines = lines
                .parse()
                .with_context(|| format!("{PATH}: not a number of lines: {line}"))?;
            entries.insert(subject.to_owned(), Entry { lines, used: false });
        }
        Ok(Self { entries })
    }

    /// Reports `subject`, which has more than `limit` lines, unless the list admits that many.
    pub(super) fn over(
        &mut self,
        subject: &str,
        lines: usize,
        limit: usize,
        findings: &mut Findings,
    ) {
        match self.entries.get_mut(subject) {
            Some(entry) => {
                entry.used = true;
                if lines > entry.lines {
                    let allowed = entry.lines;
                    findings.error(format!(
                        "{subject}: {lines} lines, may only shrink from {allowed}"
                    ));
                } else if lines < entry.lines {
                    findings.warn(format!("{PATH} can say `{subject} {lines}` now"));
                }
            }
            None => findings.error(format!("{subject}: {lines} lines, the limit is {limit}")),
        }
    }

    pub(super) fn report_stale(&self, findings: &mut Findings) {
        for (subject, _) in self.entries.iter().filter(|(_, entry)| !entry.used) {
            findings.error(format!(
                "{PATH}: `{subject}` is within the limit or gone: remove its line"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_only_shrinks() {
        let mut allow = AllowList::parse("# why\n\nfile a.rs 900\nfile b.rs 800\n").unwrap();
        let mut findings = Findings::default();
        allow.over("file a.rs", 901, 700, &mut findings);
        allow.over("file c.rs", 701, 700, &mut findings);
        allow.report_stale(&mut findings);
        assert_eq!(
            findings.errors,
            [
                "file a.rs: 901 lines, may only shrink from 900",
                "file c.rs: 701 lines, the limit is 700",
                "xtask/tidy-allow.txt: `file b.rs` is within the limit or gone: remove its line",
            ]
        );
    }
}
