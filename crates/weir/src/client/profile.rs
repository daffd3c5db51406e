//! The files in which AWS's clients keep keys and Regions (AWS CLI User Guide, "Configuration and credential file settings").

use std::path::PathBuf;

use super::Keys;

/// What a profile says.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    pub(crate) keys: Option<Keys>,
    pub(crate) region: Option<String>,
}

impl Profile {
    /// The profile that `$AWS_PROFILE` names, or the default one. Files that are not there say nothing.
    pub(crate) fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let name = variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
        let file = |named: &str, usual: &str| {
            let home = || Some(PathBuf::from(variable("HOME")?).join(".aws").join(usual));
            let path = variable(named).map(PathBuf::from).or_else(home)?;
            std::fs::read_to_string(path).ok()
        };
        let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials").unwrap_or_default();
        let config = file("AWS_CONFIG_FILE", "config").unwrap_or_default();
        Self::read(&name, &credentials, &config)
    }

    fn read(name: &str, credentials: &str, config: &str) -> Self {
        let section = match name {
            "default" => name.to_owned(),
            name => format!("profile {name}"),
        };
        let keys = |file: &str, section: &str| {
            let setting = |key: &str| setting(file, section, key);
            Keys::of_environment(|variable| setting(&variable.to_ascii_lowercase()))
        };
        Self {
            keys: keys(credentials, name).or_else(|| keys(config, &section)),
            region: setting(config, &section, "region"),
        }
    }
}

/// The value of a key in a section; lines that are indented belong to the one before.
fn setting(file: &str, section: &str, key: &str) -> Option<String> {
    let mut inside = false;
    for line in file.lines() {
        if let Some(name) = line.trim().strip_prefix('[') {
            let name: Vec<_> = name.trim_end_matches(']').split_whitespace().collect();
            inside = name.join(" ") == section;
        } else if inside && !line.starts_with([' ', '\t', '#', ';']) {
            let (name, value) = line.split_once('=').unwrap_or_default();
            if name.trim() == key && !value.trim().is_empty() {
                return Some(value.trim().to_owned());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_regions_of_profiles() {
        let credentials = "[default]\naws_access_key_id = A\naws_secret_access_key=B\n\n[ work ]\n\
            # aws_access_key_id = no\naws_access_key_id=C\naws_secret_access_key = D=\naws_session_token = E\n";
        let config = "[default]\nregion = eu-west-1\ns3 =\n  region = no\n[profile work]\nregion=us-west-2\n\
            [profile other]\naws_access_key_id=F\naws_secret_access_key=G\n";
        let of = |name| {
            let profile = Profile::read(name, credentials, config);
            let keys = profile.keys.map(|keys| {
                let token = keys.session_token.unwrap_or_default();
                format!("{} {} {token}", keys.access_key_id, keys.secret_access_key)
            });
            (keys.unwrap_or_default(), profile.region.unwrap_or_default())
        };
        let pair = |keys: &str, region: &str| (keys.to_owned(), region.to_owned());
        assert_eq!(of("default"), pair("A B ", "eu-west-1"));
        assert_eq!(of("work"), pair("C D= E", "us-west-2"));
        assert_eq!(of("other"), pair("F G ", ""));
        assert_eq!(of("nobody"), pair("", ""));
    }
}
