//! `weir doctor`: what this machine allows.

use std::process::ExitCode;

use host::doctor::{Check, Status};
use serde_json::{Value, json};

use crate::output::{self, Cell, Style, Table, Tone};

/// Prints every check; 1 if something is missing without which the daemon refuses to start.
pub(crate) fn run(json: bool) -> anyhow::Result<ExitCode> {
    // Fails where the machine forbids it, which is one of the things that the checks see.
    let _ = host::enter_user_namespace();
    let checks = host::doctor::doctor();
    if json {
        output::json(&checks.iter().map(value).collect::<Vec<_>>())?;
    } else {
        output::print(&render(&checks, Style::of_stdout()))?;
    }
    let missing = checks.iter().any(|check| check.status == Status::Missing);
    Ok(ExitCode::from(u8::from(missing)))
}

fn name(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Degraded => "degraded",
        Status::Missing => "missing",
    }
}

fn value(check: &Check) -> Value {
    json!({
        "name": check.name,
        "status": name(check.status),
        "detail": check.detail,
        "remedy": (!check.remedy.is_empty()).then_some(check.remedy),
    })
}

fn render(checks: &[Check], style: Style) -> String {
    let mut table = Table::new(["check", "status", "found"]);
    for check in checks {
        let tone = match check.status {
            Status::Ok => Tone::Good,
            Status::Degraded => Tone::Refused,
            Status::Missing => Tone::Bad,
        };
        table.row([
            check.name.into(),
            Cell::new(tone, name(check.status)),
            check.detail.as_str().into(),
        ]);
        if !check.remedy.is_empty() {
            table.row(["".into(), "".into(), format!("→ {}", check.remedy).into()]);
        }
    }
    let words = if checks.iter().any(|check| check.status == Status::Missing) {
        style.paint(
            Tone::Bad,
            "Weir cannot enforce rules here and would refuse to start.",
        )
    } else {
        style.paint(Tone::Good, "Weir can run here.")
    };
    table.render(style) + &words + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn what_helps_is_said() {
        let check = |name, status, detail: &str, remedy| Check {
            name,
            status,
            detail: detail.to_owned(),
            remedy,
        };
        let checks = [
            check("kernel", Status::Ok, "Linux 6.12.1", ""),
            check("tap", Status::Missing, "no /dev/net/tun", "`modprobe tun`"),
        ];
        expect![[r#"
            check   status   found
            kernel  ok       Linux 6.12.1
            tap     missing  no /dev/net/tun
                             → `modprobe tun`
            Weir cannot enforce rules here and would refuse to start.
        "#]]
        .assert_eq(&render(&checks, Style { colour: false }));
    }
}
