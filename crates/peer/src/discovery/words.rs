//! The words of multicast DNS that are needed, and no more: one question, and an answer to it (RFC 6762, RFC 6763).

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use simple_dns::rdata::{A, PTR, RData, SRV, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE};

use super::{Found, Said, Serves};

/// What is looked for.
const SERVICE: &str = "_lanthorn._tcp.local";
/// How many seconds an answer may be remembered.
const TTL: u32 = 120;
/// The longest name of a coordinator that is said.
const MAX_NAME_BYTES: usize = 120;
/// The longest id of a coordinator that is believed.
const MAX_ID_BYTES: usize = 64;

/// Who is there? The answer is wanted by the asker alone.
pub(super) fn question() -> io::Result<Vec<u8>> {
    let mut packet = Packet::new_query(0);
    let name = Name::new(SERVICE).map_err(io::Error::other)?;
    let class = QCLASS::CLASS(CLASS::IN);
    packet.questions.push(Question::new(name, QTYPE::TYPE(TYPE::PTR), class, true));
    packet.build_bytes_vec().map_err(io::Error::other)
}

/// The number of a message that asks who is there.
pub(super) fn is_question(message: &[u8]) -> Option<u16> {
    let packet = Packet::parse(message).ok()?;
    let asked = packet.questions.iter().any(|question| {
        question.qname.to_string().eq_ignore_ascii_case(SERVICE)
            && matches!(question.qtype, QTYPE::TYPE(TYPE::PTR) | QTYPE::ANY)
    });
    (asked && !packet.has_flags(PacketFlag::RESPONSE)).then(|| packet.id())
}

/// I am.
pub(super) fn answer(id: u16, found: &Found) -> io::Result<Vec<u8>> {
    let Said { coordinator, name, https, serves } = &found.said;
    let (instance, host) = (format!("{coordinator}.{SERVICE}"), format!("lanthorn-{coordinator}.local"));
    let texts = [
        format!("id={coordinator}"),
        format!("name={}", shortened(name, MAX_NAME_BYTES)),
        format!("https={}", u8::from(*https)),
        format!("codes-alone={}", u8::from(*serves == Serves::Codes)),
    ];
    build(id, &found.addresses, &instance, &host, &texts).map_err(io::Error::other)
}

fn build(
    id: u16,
    addresses: &[SocketAddr],
    instance: &str,
    host: &str,
    texts: &[String],
) -> simple_dns::Result<Vec<u8>> {
    let mut packet = Packet::new_reply(id);
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    let (service, instance, host) = (Name::new(SERVICE)?, Name::new(instance)?, Name::new(host)?);
    let record = |name: &Name<'_>, data| ResourceRecord::new(name.clone().into_owned(), CLASS::IN, TTL, data);
    packet.answers.push(record(&service, RData::PTR(PTR(instance.clone()))));
    let mut text = TXT::new();
    for one in texts {
        text.add_string(one)?;
    }
    packet.additional_records.push(record(&instance, RData::TXT(text)));
    if let Some(first) = addresses.first() {
        let target = SRV { priority: 0, weight: 0, port: first.port(), target: host.clone() };
        packet.additional_records.push(record(&instance, RData::SRV(target)));
    }
    for address in addresses {
        if let IpAddr::V4(ip) = address.ip() {
            packet.additional_records.push(record(&host, RData::A(A { address: ip.to_bits() })));
        }
    }
    packet.build_bytes_vec_compressed()
}

/// What an answer says. Nothing, if it is no answer or says too little.
pub(super) fn read_answer(message: &[u8]) -> Option<Found> {
    let packet = Packet::parse(message).ok()?;
    let records = || packet.answers.iter().chain(&packet.additional_records);
    let instance = records().find_map(|record| match &record.rdata {
        RData::PTR(PTR(instance)) if record.name.to_string().eq_ignore_ascii_case(SERVICE) => Some(instance),
        _ => None,
    })?;
    let mut texts = records().find_map(|record| match &record.rdata {
        RData::TXT(text) if record.name == *instance => Some(text.attributes()),
        _ => None,
    })?;
    let mut text = |key: &str| texts.remove(key).flatten();
    let plain = |id: &String| id.len() <= MAX_ID_BYTES && id.bytes().all(|b| b.is_ascii_alphanumeric());
    let coordinator = text("id").filter(plain)?;
    let name = text("name").unwrap_or_else(|| coordinator.clone());
    let https = text("https")? == "1";
    let codes_alone = text("codes-alone").is_some_and(|alone| alone == "1");
    let serves = if codes_alone { Serves::Codes } else { Serves::Coordinator };
    let port = records().find_map(|record| match &record.rdata {
        RData::SRV(target) if record.name == *instance => Some(target.port),
        _ => None,
    });
    let addresses = records().filter_map(|record| match &record.rdata {
        RData::A(a) => Some(SocketAddr::from((Ipv4Addr::from_bits(a.address), port?))),
        _ => None,
    });
    // Names end up on terminals.
    let name = name.chars().filter(|c| !c.is_control()).collect();
    Some(Found { said: Said { coordinator, name, https, serves }, addresses: addresses.collect() })
}

fn shortened(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(name: &str) -> Found {
        Found {
            said: Said {
                coordinator: "0123456789abcdef".into(),
                name: name.into(),
                https: true,
                serves: Serves::Coordinator,
            },
            addresses: vec!["10.0.0.2:7000".parse().unwrap(), "192.168.1.2:7000".parse().unwrap()],
        }
    }

    #[test]
    fn a_question_is_understood_and_an_answer_is_none() {
        assert_eq!(is_question(&question().unwrap()), Some(0));
        assert_eq!(is_question(&answer(0, &found("Attic")).unwrap()), None);
        assert_eq!(read_answer(&question().unwrap()), None);
    }

    #[test]
    fn terminals_are_safe_from_what_is_said() {
        assert_eq!(read_answer(&answer(0, &found("a\u{1b}[31m\n")).unwrap()).unwrap().said.name, "a[31m");
        let mut strange = found("x");
        strange.said.coordinator = "not-an-id".into();
        assert_eq!(read_answer(&answer(0, &strange).unwrap()), None);
    }

    proptest! {
        #[test]
        fn what_is_said_is_understood(name in "[^\\p{C}=]{0,20}", id: u16, codes: bool) {
            let mut said = found(&name);
            if codes {
                said.said.serves = Serves::Codes;
            }
            prop_assert_eq!(read_answer(&answer(id, &said).unwrap()), Some(said));
        }

        #[test]
        fn no_message_is_too_strange(message in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (read_answer(&message), is_question(&message));
        }
    }
}
