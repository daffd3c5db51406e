//! AWS names to Rust names and to wire names.

const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// `Ipv6CidrBlock` to `ipv6_cidr_block`, `DnsAAAARecord` to `dns_aaaa_record`; keywords become raw identifiers.
pub(super) fn field(member: &str) -> String {
    // Elastic Load Balancing spells one word with two capitals.
    let characters: Vec<char> = member.replace("IPv", "Ipv").chars().collect();
    let mut name = String::new();
    for (index, &character) in characters.iter().enumerate() {
        if character.is_ascii_uppercase() && index > 0 {
            let after_word = !characters[index - 1].is_ascii_uppercase();
            let before_word = characters
                .get(index + 1)
                .is_some_and(char::is_ascii_lowercase);
            if after_word || before_word {
                name.push('_');
            }
        }
        name.push(character.to_ascii_lowercase());
    }
    if KEYWORDS.contains(&name.as_str()) {
        format!("r#{name}")
    } else {
        name
    }
}

/// First letter to upper case.
pub(super) fn capitalise(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_ascii_uppercase().to_string() + characters.as_str()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_names_become_field_names() {
        let names = [
            "VpcId",
            "EnableResourceNameDnsAAAARecord",
            "EnableDns64",
            "Type",
            "Ipv6CidrBlock",
            "PrivateIPv4Address",
        ];
        let fields = names.map(field);
        assert_eq!(
            fields,
            [
                "vpc_id",
                "enable_resource_name_dns_aaaa_record",
                "enable_dns64",
                "r#type",
                "ipv6_cidr_block",
                "private_ipv4_address"
            ]
        );
    }
}
