//! People and machines by the thousand, for measurements: written into the database of a coordinator that does not run,
//! where pairing each of them would take hours. Whoever can do this can write the state folder anyway.

use std::path::Path;

use proto::{DeviceId, PrincipalId};
use time::OffsetDateTime;

use crate::clock::to_ms;
use crate::store::devices::DeviceRow;
use crate::store::principals::PrincipalRow;
use crate::store::{Store, StoreError};

/// Lets people in by their names, and machines by their owners and names, as if all had been paired now.
///
/// # Errors
/// The database cannot be opened or written, or knows one of the people.
pub async fn let_in(
    state_dir: &Path,
    people: &[(PrincipalId, String)],
    machines: &[(DeviceId, PrincipalId, String)],
) -> Result<(), StoreError> {
    let now_ms = to_ms(OffsetDateTime::now_utc());
    let person = |(id, name): &(PrincipalId, String)| PrincipalRow {
        id: *id,
        display_name: name.clone(),
        created_ms: now_ms,
        revoked_ms: None,
    };
    let machine = |(id, principal, name): &(DeviceId, PrincipalId, String)| DeviceRow {
        id: *id,
        principal: *principal,
        name: name.clone(),
        platform: "linux".into(),
        visible: true,
        paired_ms: now_ms,
        revoked_ms: None,
    };
    let people: Vec<_> = people.iter().map(person).collect();
    let machines: Vec<_> = machines.iter().map(machine).collect();
    let store = Store::open(state_dir).await?;
    store.let_in(&people, &machines).await?;
    store.close().await;
    Ok(())
}
