//! Mailboxes in the shape of a plan or an inventory: its addresses, and its counts scaled down to what a rehearsal can hold.

use crate::base::id::MailboxId;
use crate::plan::document::Plan;
use crate::plan::estate::Estate;
use crate::plan::inventory::Inventory;
use crate::plan::wishes::Wishes;

/// The most items one rehearsed mailbox gets, whatever the file says: a world is kept in memory.
const ITEMS_MAX: u64 = 100_000;

/// One mailbox to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its address at the source.
    pub source: MailboxId,
    /// Its address at the target.
    pub target: MailboxId,
    /// Items that were counted in it; `None` where nobody counted.
    pub items: Option<u64>,
}

/// The mailboxes of a plan, in its order.
pub fn of_plan(plan: &Plan) -> Vec<Model> {
    let pairs = plan.waves.iter().flat_map(|wave| &wave.mailboxes);
    let model = |pair: &crate::plan::document::Pair| Model {
        source: pair.source.clone(),
        target: pair.target.clone(),
        items: pair.items.map(crate::base::quantity::Count::get),
    };
    pairs.map(model).collect()
}

/// The mailboxes of an inventory that a plan would move.
pub fn of_inventory(inventory: &Inventory) -> Vec<Model> {
    let estate = Estate::new(inventory, &Wishes::default());
    let model = |mover: crate::plan::estate::Mover| Model {
        source: mover.source,
        target: mover.target,
        items: mover.counted.then_some(mover.load.items.get()),
    };
    estate.movers.into_iter().map(model).collect()
}

/// How many items each gets: one in `one_in` of what was counted or, without it, so many that `average` is the mean of those counted. Where
/// anything was counted, at least one item is made; where nobody counted, `average`.
pub fn counts(models: &[Model], one_in: Option<u64>, average: u64) -> Vec<u64> {
    let counted: Vec<u64> = models.iter().filter_map(|model| model.items).collect();
    let sum: u128 = counted.iter().map(|n| u128::from(*n)).sum();
    let wanted = u128::from(average) * counted.len() as u128;
    let scaled = |n: u64| {
        let n = u128::from(n);
        let exact = match one_in {
            Some(one_in) => n / u128::from(one_in.max(1)),
            None => (n * wanted).checked_div(sum).unwrap_or(0),
        };
        let some = u128::from(n > 0 && average > 0);
        u64::try_from(exact.max(some))
            .unwrap_or(ITEMS_MAX)
            .min(ITEMS_MAX)
    };
    models
        .iter()
        .map(|model| model.items.map_or(average, scaled))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::document::Plan;

    fn model(items: Option<u64>) -> Model {
        Model {
            source: MailboxId::new("a@x.example"),
            target: MailboxId::new("a@x.example"),
            items,
        }
    }

    #[test]
    fn a_rehearsal_keeps_the_proportions_and_forgets_nobody() {
        let models = [Some(100_000), Some(300_000), Some(1), Some(0), None].map(model);
        assert_eq!(counts(&models, None, 200), [199, 599, 1, 0, 200]);
        assert_eq!(counts(&models, Some(1_000), 200), [100, 300, 1, 0, 200]);
        assert_eq!(counts(&models, Some(1), 200)[0], ITEMS_MAX);
        assert_eq!(
            counts(&[model(Some(u64::MAX))], None, u64::MAX),
            [ITEMS_MAX]
        );
        assert_eq!(counts(&[], None, 5), [] as [u64; 0]);
    }

    #[test]
    fn a_plan_gives_its_addresses_and_counts_in_its_order() {
        let text = include_str!("../../plans/clinic.toml").replacen(
            "target = \"a.harris@clinic.example\" }",
            "target = \"a.harris@clinic.example\", items = 7 }",
            1,
        );
        let models = of_plan(&Plan::parse(&text).expect("the sample is right"));
        let items: Vec<Option<u64>> = models.iter().map(|model| model.items).collect();
        assert_eq!(items, [Some(7), None]);
        assert_eq!(models[1].source.reveal(), "b.ozanne@clinic.example");
    }
}
