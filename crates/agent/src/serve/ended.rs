//! What a coordinator has ended before its time, and which tickets that concerns. Pure.

use proto::ticket::{Resource, VerifiedTicket};
use proto::wire::link::Revoked;
use time::OffsetDateTime;

/// One end, as a coordinator told it.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The coordinator that told: it ends what it allowed itself, and nothing else. None for that of this machine.
    pub coordinator: Option<String>,
    /// What has ended.
    pub what: Revoked,
    /// When, by the coordinator's clock. What it allowed later is allowed again.
    pub at: OffsetDateTime,
}

impl Ended {
    /// True if nothing more may be done with this ticket.
    #[must_use]
    pub fn concerns(&self, ticket: &VerifiedTicket) -> bool {
        let claims = ticket.claims();
        let named = match &self.what {
            Revoked::Ticket { id } => claims.jti == *id,
            Revoked::Session { id } => claims.cli == id.to_string(),
            Revoked::Device { id } => claims.pky == Some(*id) || claims.cli == id.to_string(),
            Revoked::Principal { id } => claims.sub == *id,
            Revoked::Grant { principal, share } => claims.sub == *principal && claims.res.share() == *share,
            Revoked::Transfer { id, share } => claims.res == Resource::Transfer(*id, *share),
        };
        named && claims.iat <= self.at && ticket.coordinator() == self.coordinator.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::ticket::{Claims, Issuer, KeyRing, SigningKey};
    use proto::{DeviceId, PrincipalId, SessionId, ShareId, TransferId};

    #[test]
    fn each_end_concerns_what_it_names_and_nothing_else() {
        let key = SigningKey::generate().unwrap();
        let (device, client) = (DeviceId::from_public_key([1; 32]), DeviceId::from_public_key([2; 32]));
        let (person, session, share) = (PrincipalId::generate(), SessionId::generate(), ShareId::generate());
        let now = OffsetDateTime::now_utc();
        let ticket = |cli: String| {
            let claims = Claims {
                sub: person,
                cli,
                pky: Some(client),
                aud: device,
                res: Resource::Share(share),
                perm: proto::Permissions::all(),
                iat: now,
                exp: now + proto::ticket::READ_LIFETIME,
                jti: "one".into(),
            };
            let keys = vec![key.public()];
            let attic = Issuer { coordinator: Some("attic".into()), keys, ..Issuer::default() };
            KeyRing::new(device, [attic]).verify(&key.sign(&claims).unwrap(), Some(client), now).unwrap()
        };
        let (ours, other) = (ticket(session.to_string()), PrincipalId::generate());
        let coordinator = Some("attic".to_owned());
        for (what, concerns) in [
            (Revoked::Ticket { id: "one".into() }, true),
            (Revoked::Ticket { id: "two".into() }, false),
            (Revoked::Session { id: session }, true),
            (Revoked::Session { id: SessionId::generate() }, false),
            (Revoked::Device { id: client }, true),
            (Revoked::Device { id: device }, false),
            (Revoked::Principal { id: person }, true),
            (Revoked::Principal { id: other }, false),
            (Revoked::Grant { principal: person, share }, true),
            (Revoked::Grant { principal: person, share: ShareId::generate() }, false),
            (Revoked::Grant { principal: other, share }, false),
            (Revoked::Transfer { id: TransferId::generate(), share }, false),
        ] {
            let end = Ended { coordinator: coordinator.clone(), what, at: now };
            assert_eq!(end.concerns(&ours), concerns, "{end:?}");
            let earlier = Ended { at: now - time::Duration::SECOND, ..end.clone() };
            assert!(!earlier.concerns(&ours), "allowed again later");
            let elsewhere = Ended { coordinator: Some("another".into()), ..end };
            assert!(!elsewhere.concerns(&ours), "another coordinator says so");
        }
        let by_device = Ended { coordinator, what: Revoked::Device { id: device }, at: now };
        assert!(by_device.concerns(&ticket(device.to_string())), "a machine asks for itself");
    }
}
