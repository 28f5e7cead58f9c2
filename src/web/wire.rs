//! The text forms of HTTP: paths, cookies, credentials, entity tags.

use std::hash::{DefaultHasher, Hasher};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The parts of a percent-encoded path. The path is split before its parts are decoded: an
/// encoded slash does not split it. `None` for a path that is not UTF-8, is encoded badly or
/// contains control characters.
pub fn segments(path: &[u8]) -> Option<Vec<String>> {
    path.split(|byte| *byte == b'/').map(decode).collect()
}

fn decode(part: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(*rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => *byte,
        });
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains(char::is_control)).then_some(text)
}

/// The value of the first cookie of that name in a `Cookie` header, without quotes.
pub fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut cookies = header
        .split(';')
        .filter_map(|cookie| cookie.split_once('='));
    let (_, value) = cookies.find(|(found, _)| found.trim() == name)?;
    let value = value.trim();
    let bare = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    Some(bare.unwrap_or(value))
}

/// Name and password from an `Authorization: Basic` header.
pub fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// Whether a page of another site has sent the request, by the headers that browsers add: the
/// values of `Sec-Fetch-Site`, `Origin` and `Host`. Other clients add none of the first two.
pub fn is_foreign(site: Option<&str>, origin: Option<&str>, host: Option<&str>) -> bool {
    // The browser knows the site even if a proxy changes the host.
    if let Some(site) = site {
        return !matches!(site, "same-origin" | "none");
    }
    let of_host = |origin: &str| {
        let host_of_origin = origin.split_once("://").map(|(_, host)| host);
        host_of_origin.is_some_and(|of| host.is_some_and(|host| host.eq_ignore_ascii_case(of)))
    };
    origin.is_some_and(|origin| !of_host(origin))
}

/// Whether a `Content-Type` header is that of JSON.
pub fn is_json(header: &str) -> bool {
    let kind = header.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// Whether an `Accept-Encoding` header takes gzip.
pub fn accepts_gzip(header: &str) -> bool {
    header.split(',').any(|coding| {
        let (coding, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=");
        let is_refused = weight.is_some_and(|q| q.parse() == Ok(0.0));
        coding.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

/// The entity tag of a body, with its quotes.
pub fn entity_tag(body: &str) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(body.as_bytes());
    format!("\"{:016x}\"", hasher.finish())
}

/// Whether an `If-None-Match` header matches the tag.
pub fn names_tag(header: &str, tag: &str) -> bool {
    let mut tags = header.split(',').map(str::trim);
    tags.any(|named| named == "*" || named.strip_prefix("W/").unwrap_or(named) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> Option<Vec<String>> {
        segments(path.as_bytes())
    }

    #[test]
    fn a_path_is_split_before_it_is_decoded() {
        assert_eq!(parts("").unwrap(), [""]);
        assert_eq!(parts("v1/a%2Fb/c+d/").unwrap(), ["v1", "a/b", "c+d", ""]);
        assert_eq!(parts("J%C3%BCrgen").unwrap(), ["J\u{fc}rgen"]);
        for bad in ["%", "%2", "%zz", "%00", "%ff", "a%0d%0ab"] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let header = "a=1; userpresence=\"x.y\" ;b=2;not=userpresence=z";
        assert_eq!(cookie(header, "userpresence"), Some("x.y"));
        assert_eq!(cookie(header, "b"), Some("2"));
        assert_eq!(cookie(header, "presence"), None);
        assert_eq!(cookie("", "a"), None);
    }

    #[test]
    fn basic_credentials_may_have_colons_in_the_password() {
        let header = format!("basic {}", STANDARD.encode("panel:a:b"));
        assert_eq!(basic(&header), Some(("panel".into(), "a:b".into())));
        assert_eq!(basic("Bearer abc"), None);
        assert_eq!(basic("Basic !!!"), None);
        assert_eq!(basic(&format!("Basic {}", STANDARD.encode("panel"))), None);
    }

    #[test]
    fn pages_of_other_sites_are_told_by_what_browsers_say() {
        let foreign = |site, origin| is_foreign(site, origin, Some("pbx:8088"));
        assert!(!foreign(None, None));
        assert!(!foreign(Some("same-origin"), Some("https://elsewhere")));
        assert!(foreign(Some("cross-site"), None) && foreign(Some("same-site"), None));
        assert!(!foreign(None, Some("http://PBX:8088")));
        assert!(!foreign(None, Some("https://pbx:8088")));
        for origin in ["null", "http://pbx", "http://pbx:8088.evil", "pbx:8088", ""] {
            assert!(foreign(None, Some(origin)), "{origin}");
        }
        assert!(is_foreign(None, Some("http://pbx"), None));
    }

    #[test]
    fn json_is_json_with_or_without_a_charset() {
        assert!(is_json("application/json") && is_json("Application/JSON ; charset=utf-8"));
        assert!(!is_json("text/plain") && !is_json(""));
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for header in ["gzip", "br, GZIP;q=0.5", "deflate,gzip ; q=1"] {
            assert!(accepts_gzip(header), "{header}");
        }
        for header in ["", "br", "gzip;q=0", "gzip; q=0.000", "gzipped"] {
            assert!(!accepts_gzip(header), "{header}");
        }
    }

    #[test]
    fn an_entity_tag_is_matched_in_a_list() {
        let tag = entity_tag("body");
        assert_eq!(tag, entity_tag("body"));
        assert_ne!(tag, entity_tag("another"));
        assert!(names_tag(&format!("\"x\", W/{tag}"), &tag));
        assert!(names_tag("*", &tag) && !names_tag("\"x\"", &tag));
    }
}
