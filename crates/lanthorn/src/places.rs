//! What an address means at one coordinator: its device and share looked up in the catalog. Asks, decides, prints nothing.

use anyhow::Result;
use proto::api::catalog::{Device, Devices, Share, Shares};
use proto::{DeviceId, ErrorCode, RelPath};

use crate::address::Address;
use crate::report::failure;
use crate::signed_in::SignedIn;

/// The fewest characters that count as the beginning of an id.
const MIN_ID_CHARS: usize = 4;
/// Names told when none fits, at most.
const MAX_TOLD: usize = 12;

/// The devices and shares that this machine's owner sees.
pub struct Catalog {
    /// By name.
    pub devices: Vec<Device>,
    /// By device and name.
    pub shares: Vec<Share>,
    own: DeviceId,
}

/// A place in a share.
#[derive(Clone, Debug)]
pub struct Place {
    /// The machine.
    pub device: DeviceId,
    /// The share.
    pub share: proto::ShareId,
    /// Where in it.
    pub path: RelPath,
    /// The same for people.
    pub address: Address,
    /// True if the machine is neither the coordinator's nor this one: then there is a straighter way than the coordinator.
    pub elsewhere: bool,
}

impl Place {
    /// The address of a device route about this place.
    pub fn url(&self, route: &str, more: &[(&str, &str)]) -> String {
        format!("/api/v1/devices/{}{}", self.device, self.tail(route, more))
    }

    /// The same at the device itself, below what all its addresses begin with.
    pub fn tail(&self, route: &str, more: &[(&str, &str)]) -> String {
        let mut url = format!("/shares/{}/{route}", self.share);
        let path = self.path.to_string();
        let all = std::iter::once(("path", path.as_str())).chain(more.iter().copied());
        for (i, (name, value)) in all.enumerate() {
            url.push(if i == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(&in_query(value));
        }
        url
    }

    /// A place in the same share.
    pub fn at(&self, path: RelPath) -> Self {
        let address = Address { path: path.clone(), ..self.address.clone() };
        Self { path, address, ..self.clone() }
    }
}

/// A text as it stands in a query.
pub fn in_query(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

impl Catalog {
    /// Asks the coordinator.
    pub async fn read(at: &SignedIn) -> Result<Self> {
        let devices: Devices = at.get("/api/v1/catalog/devices").await?;
        let shares: Shares = at.get("/api/v1/catalog/shares").await?;
        Ok(Self { devices: devices.devices, shares: shares.shares, own: at.device() })
    }

    /// The device that was named; this machine if none was.
    pub fn device(&self, typed: Option<&str>) -> Result<&Device> {
        match typed {
            Some(typed) => choose("device", typed, &self.devices, |d| &d.name, |d| d.id.to_string()),
            None => self.devices.iter().find(|device| device.id == self.own).ok_or_else(|| {
                failure(
                    ErrorCode::NotFound,
                    "This machine is not among the devices there.",
                    "Name a device: DEVICE:SHARE/PATH. `lanthorn devices` lists them.",
                )
            }),
        }
    }

    /// What a device is called; the beginning of its id where another goes by the same name.
    pub fn name_of(&self, id: DeviceId) -> String {
        let Some(device) = self.devices.iter().find(|device| device.id == id) else { return id.short() };
        let alone = self.devices.iter().filter(|other| other.name == device.name).count() == 1;
        if alone { device.name.clone() } else { id.short() }
    }

    /// What a share is called on its device; its id where another goes by the same name there.
    fn share_name(&self, share: &Share) -> String {
        let alone = self.shares_of(share.device_id).filter(|other| other.name == share.name).count() <= 1;
        if alone { share.name.clone() } else { share.id.to_string() }
    }

    /// The device's shares.
    pub fn shares_of(&self, device: DeviceId) -> impl Iterator<Item = &Share> {
        self.shares.iter().filter(move |share| share.device_id == device)
    }

    /// The place that was named. It has to name a share.
    pub fn place(&self, address: &Address) -> Result<Place> {
        let device = self.device(address.device.as_deref())?;
        let Some(typed) = address.share.as_deref() else {
            return Err(failure(
                ErrorCode::BadParameter,
                format!("\"{address}\" names no share."),
                format!("`lanthorn ls \"{}:\"` lists those of this device.", device.name),
            ));
        };
        let shares: Vec<_> = self.shares_of(device.id).collect();
        let what = format!("share of {}", device.name);
        let share = choose(&what, typed, &shares, |s| &s.name, |s| s.id.to_string())?;
        Ok(self.within(share, address.path.clone()))
    }

    /// A place in this share.
    pub fn within(&self, share: &Share, path: RelPath) -> Place {
        let device = Some(self.name_of(share.device_id));
        let address = Address { device, share: Some(self.share_name(share)), path: path.clone() };
        let elsewhere = self.is_elsewhere(share.device_id);
        Place { device: share.device_id, share: share.id, path, address, elsewhere }
    }

    fn is_elsewhere(&self, id: DeviceId) -> bool {
        id != self.own && self.devices.iter().any(|device| device.id == id && !device.local)
    }
}

/// The one of `all` that was typed: by its name, else by its name without case, else by the beginning of its id.
pub fn choose<'a, T>(
    what: &str,
    typed: &str,
    all: &'a [T],
    name: impl Fn(&T) -> &str,
    id: impl Fn(&T) -> String,
) -> Result<&'a T> {
    let lower = typed.to_lowercase();
    let ways: [&dyn Fn(&T) -> bool; 3] =
        [&|one| name(one) == typed, &|one| name(one).to_lowercase() == lower, &|one| {
            typed.len() >= MIN_ID_CHARS && id(one).starts_with(&lower)
        }];
    for fits in ways {
        let fitting: Vec<&T> = all.iter().filter(|one| fits(one)).collect();
        match fitting[..] {
            [] => {}
            [one] => return Ok(one),
            _ => {
                let them: Vec<_> = fitting.iter().map(|one| format!("{} ({})", name(one), id(one))).collect();
                let message = format!("\"{typed}\" fits more than one {what}: {}.", them.join(", "));
                return Err(failure(
                    ErrorCode::BadParameter,
                    message,
                    "Write the beginning of its id instead.",
                ));
            }
        }
    }
    let known: Vec<_> = all.iter().take(MAX_TOLD).map(&name).collect();
    let more = if all.len() > MAX_TOLD { ", …" } else { "" };
    let hint = if known.is_empty() {
        "There is none.".into()
    } else {
        format!("There is: {}{more}.", known.join(", "))
    };
    Err(failure(ErrorCode::NotFound, format!("There is no {what} \"{typed}\"."), hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Refused;

    const ALL: [(&str, &str); 5] = [
        ("Attic", "yfgh1111"),
        ("attic", "yfgh2222"),
        ("Laptop", "abcd3333"),
        ("Laptop", "abcd4444"),
        ("abcd", "zzzz5555"),
    ];

    fn chosen(typed: &str) -> Result<&'static str> {
        choose("device", typed, &ALL, |one| one.0, |one| one.1.to_owned()).map(|one| one.1)
    }

    #[test]
    fn a_name_is_stronger_than_an_id_and_an_exact_one_than_one_that_is_nearly_right() {
        for (typed, id) in [
            ("Attic", "yfgh1111"),
            ("attic", "yfgh2222"),
            ("abcd", "zzzz5555"),
            ("abcd3", "abcd3333"),
            ("abcd4444", "abcd4444"),
            ("zzzz", "zzzz5555"),
        ] {
            assert_eq!(chosen(typed).unwrap(), id, "{typed}");
        }
    }

    #[test]
    fn what_fits_several_or_none_is_an_error_that_lists_them() {
        for (typed, code, said) in [
            ("ATTIC", ErrorCode::BadParameter, vec!["Attic (yfgh1111)", "attic (yfgh2222)"]),
            ("Laptop", ErrorCode::BadParameter, vec!["abcd3333", "abcd4444"]),
            ("yfgh", ErrorCode::BadParameter, vec!["yfgh1111", "yfgh2222"]),
            ("zzz", ErrorCode::NotFound, vec!["zzz", "Laptop"]),
            ("Cellar", ErrorCode::NotFound, vec!["Cellar", "Attic", "Laptop"]),
        ] {
            let error = chosen(typed).unwrap_err();
            let Refused(error) = error.downcast_ref::<Refused>().unwrap();
            assert_eq!(error.code, code, "{typed}");
            let text = format!("{} {}", error.message, error.hint);
            assert!(said.iter().all(|part| text.contains(part)), "{text}");
        }
    }
}
