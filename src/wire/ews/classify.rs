//! What came back instead of a result: one table from response code to class (reference/ews.md section 4), one from class and place to
//! `Setback`, and the rules for HTTP statuses (section 3). Decided here and nowhere else.

use crate::base::outcome::{
    Code, HaltCause, MisreadCause, Refusal, RefusalWhy, Said, Scope, Setback, StopCause,
};
use crate::base::quantity::Span;
use crate::wire::ews::reply::{NoReply, Refused};
use crate::wire::soap::Fault;

/// What a code was said about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// One item of a batch.
    Item,
    /// One folder.
    Folder,
    /// A whole call about several things; no single one can be blamed.
    Batch,
}

/// What a response code means for somebody who only reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Throttled or overloaded: wait.
    Wait,
    /// The server or the mailbox's store is unwell, whatever was asked: ask again.
    Outage,
    /// Trouble with this call, or a batch too large: ask again.
    Retry,
    /// The batch was given up before this item's turn.
    NotTried,
    /// The mailbox is on its way to another database.
    Moving,
    /// The item cannot be read.
    Corrupt,
    /// The item is withheld: virus verdict, size, policy.
    Withheld,
    /// No right to it; how much "it" is depends on the place.
    Denied,
    /// The item, or the folder, is no longer there.
    Gone,
    /// The folder is no longer there.
    FolderGone,
    /// The sync state is refused.
    Resync,
    /// An optional thing the mailbox does not have.
    Absent,
    /// There is no such mailbox here.
    NoMailbox,
    /// We may not act for this mailbox.
    NotImpersonable,
    /// The mailbox is closed to us for another reason.
    Closed,
    /// The service account's sign-in.
    Credentials,
    /// The service account may act for nobody.
    NoImpersonation,
    /// Our version or client is refused.
    ClientRefused,
    /// Our request is wrong.
    OurRequest,
}

/// Every code we know what to do about. `NoError` is not among them, and neither is a code nobody expects: it counts as [`Class::Retry`].
const TABLE: &[(Class, &str)] = &[
    (
        Class::Wait,
        "ErrorServerBusy ErrorExceededConnectionCount ErrorInsufficientResources ErrorTooManyObjectsOpened \
         ErrorIndividualMailboxLimitReached ErrorExceededSubscriptionCount",
    ),
    (
        Class::Outage,
        "ErrorADOperation ErrorADUnavailable ErrorAutoDiscoverFailed ErrorClientDisconnected ErrorConnectionFailed \
         ErrorInternalServerTransientError ErrorMailboxFailover ErrorMailboxLogonFailed \
         ErrorMailboxStoreUnavailable ErrorNoRespondingCASInDestinationSite ErrorNotEnoughMemory \
         ErrorProxyCallFailed ErrorProxyRequestProcessingFailed ErrorProxySoapException \
         ErrorServiceDiscoveryFailed ErrorServiceUnavailable",
    ),
    (
        Class::Retry,
        "ErrorDataSizeLimitExceeded ErrorDataSourceOperation \
         ErrorExceededFindCountLimit ErrorFolderCorrupt ErrorInternalServerError ErrorObjectTypeChanged \
         ErrorQuotaExceeded ErrorRequestAborted ErrorResultSetTooBig ErrorTimeIntervalTooBig ErrorTimeoutExpired \
         ErrorWin32InteropError",
    ),
    (Class::NotTried, "ErrorBatchProcessingStopped"),
    (Class::Moving, "ErrorMailboxMoveInProgress"),
    (
        Class::Corrupt,
        "ErrorItemCorrupt ErrorCorruptData ErrorItemPropertyRequestFailed ErrorContentConversionFailed \
         ErrorMimeContentConversionFailed ErrorUnsupportedMimeConversion ErrorUnsupportedMapiPropertyType \
         ErrorUnsupportedTypeForConversion ErrorCannotOpenFileAttachment ErrorInvalidPropertyRequest ErrorCalendarInvalidRecurrence \
         ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange ErrorCalendarOccurrenceIsDeletedFromRecurrence ErrorCalendarOutOfRange \
         ErrorInvalidIdReturnedByResolveNames ErrorInvalidIdTooManyAttachmentLevels ErrorAttachmentNestLevelLimitExceeded \
         ErrorMimeContentInvalid ErrorMimeContentInvalidBase64String ErrorOccurrenceCrossingBoundary ErrorOccurrenceTimeSpanTooBig \
         ErrorRecurrenceHasNoOccurrence ErrorUnsupportedRecurrence",
    ),
    (
        Class::Withheld,
        "ErrorVirusDetected ErrorVirusMessageDeleted ErrorMessageSizeExceeded ErrorAttachmentSizeLimitExceeded \
         ErrorAccessDeniedDueToCompliance ErrorGetRemoteArchiveItemFailed ErrorExportRemoteArchiveItemsFailed",
    ),
    (
        Class::Denied,
        "ErrorAccessDenied ErrorRecoverableItemsAccessDenied ErrorCannotAccessDeletedPublicFolder",
    ),
    (
        Class::Gone,
        "ErrorItemNotFound ErrorCannotFindFileAttachment ErrorEventNotFound ErrorSubscriptionNotFound",
    ),
    (
        Class::FolderGone,
        "ErrorFolderNotFound ErrorSyncFolderNotFound ErrorParentFolderNotFound ErrorInvalidParentFolder \
         ErrorSavedItemFolderNotFound ErrorToFolderNotFound",
    ),
    (
        Class::Resync,
        "ErrorInvalidSyncStateData ErrorInvalidWatermark ErrorExpiredSubscription",
    ),
    (
        Class::Absent,
        "ErrorArchiveMailboxNotEnabled ErrorArchiveMailboxServiceDiscoveryFailed ErrorNoCalendar ErrorSearchFolderNotInitialized \
         ErrorInvalidFolderTypeForOperation ErrorCannotGetSourceFolderPath ErrorFolderPropertRequestFailed \
         ErrorDelegateMissingConfiguration ErrorNameResolutionNoResults",
    ),
    (
        Class::NoMailbox,
        "ErrorNonExistentMailbox ErrorNonPrimarySmtpAddress ErrorInvalidSmtpAddress ErrorInvalidMailbox ErrorMissingEmailAddress \
         ErrorAddressSpaceNotFound ErrorCannotFindUser ErrorRecipientNotFound ErrorLocalServerObjectNotFound \
         ErrorMissingExchangePrincipal ErrorNameResolutionNoMailbox ErrorInvalidSid ErrorInvalidUserSid \
         ErrorInvalidUserSidMissingUPN ErrorInvalidUserPrincipalName ErrorWrongServerVersion ErrorWrongServerVersionDelegate \
         ErrorCrossSiteRequest ErrorNoApplicableProxyCASServersAvailable ErrorNoDestinationCASDueToKerberosRequirements \
         ErrorNoDestinationCASDueToSSLRequirements ErrorNoDestinationCASDueToVersionMismatch",
    ),
    (Class::NotImpersonable, "ErrorImpersonateUserDenied"),
    (
        Class::Closed,
        "ErrorAccountDisabled ErrorMailboxConfiguration ErrorUserNotAllowedByPolicy ErrorOrganizationAccessBlocked \
         ErrorInvalidLicense ErrorMultiLegacyMailboxAccess ErrorInvalidSchemaVersionForMailboxVersion",
    ),
    (
        Class::Credentials,
        "ErrorPasswordExpired ErrorPasswordChangeRequired ErrorAccountSuspend ErrorCallerIsInvalidADAccount \
         ErrorInvalidAuthorizationContext ErrorInvalidClientSecurityContext ErrorInvalidLogonType ErrorInvalidProxySecurityContext \
         ErrorInvalidSerializedAccessToken ErrorLogonAsNetworkServiceFailed ErrorTokenSerializationDenied \
         ErrorProxyRequestNotAllowed ErrorNoOAuthServerAvailableForRequest",
    ),
    (
        Class::NoImpersonation,
        "ErrorImpersonationDenied ErrorImpersonationFailed ErrorInvalidExchangeImpersonationHeaderData \
         ErrorInvalidManagementRoleHeader",
    ),
    (
        Class::ClientRefused,
        "ErrorInvalidServerVersion ErrorIncorrectSchemaVersion",
    ),
    (
        Class::OurRequest,
        "ErrorSchemaValidation ErrorInvalidRequest ErrorInvalidArgument ErrorMissingArgument ErrorInvalidOperation \
         ErrorInvalidId ErrorInvalidIdEmpty ErrorInvalidIdMalformed ErrorInvalidIdMalformedEwsLegacyIdFormat \
         ErrorInvalidIdMonikerTooLong ErrorInvalidIdNotAnItemAttachmentId ErrorInvalidIdStoreObjectIdTooLong ErrorInvalidIdXml \
         ErrorInvalidAttachmentId ErrorInvalidChangeKey ErrorInvalidFolderId ErrorCannotUseFolderIdForItemId \
         ErrorCannotUseItemIdForFolderId ErrorChangeKeyRequired ErrorChangeKeyRequiredForWriteOperations \
         ErrorInvalidPropertyForOperation ErrorInvalidPropertySet ErrorInvalidExtendedProperty ErrorInvalidExtendedPropertyValue \
         ErrorNoPropertyTagForCustomProperties ErrorUnsupportedPropertyDefinition ErrorUnsupportedPathForQuery \
         ErrorUnsupportedPathForSortGroup ErrorUnsupportedQueryFilter ErrorInvalidRestriction ErrorRestrictionTooLong \
         ErrorRestrictionTooComplex ErrorQueryFilterTooLong ErrorInvalidPagingMaxRows ErrorInvalidIndexedPagingParameters \
         ErrorInvalidFractionalPagingParameters ErrorParentFolderIdRequired ErrorDuplicateInputFolderNames ErrorDuplicateSOAPHeader \
         ErrorUnsupportedCulture ErrorValueOutOfRange ErrorRequestStreamTooBig ErrorResponseSchemaValidation \
         ErrorAccessModeSpecified ErrorMoreThanOneAccessModeSpecified ErrorCalendarCannotUseIdForOccurrenceId \
         ErrorCalendarCannotUseIdForRecurringMasterId ErrorCalendarFolderIsInvalidForCalendarView ErrorCalendarViewRangeTooBig \
         ErrorCrossMailboxMoveCopy ErrorInvalidNameForNameResolution Client",
    ),
];

/// Every code of the table with its class, in the table's order.
pub fn table() -> impl Iterator<Item = (&'static str, Class)> {
    TABLE
        .iter()
        .flat_map(|(class, codes)| codes.split_ascii_whitespace().map(move |c| (c, *class)))
}

/// The class of a response code. An unknown one is asked again; whoever counts attempts puts it aside in the end.
pub fn class_of(code: &str) -> Class {
    table()
        .find(|(known, _)| *known == code)
        .map_or(Class::Retry, |(_, class)| class)
}

/// What a class means at a place.
pub fn setback(class: Class, place: Place, wait: Option<Span>, said: Said) -> Setback {
    let item = |why| match place {
        Place::Item => Setback::ItemRefused(Refusal {
            why,
            said: said.clone(),
        }),
        // Nobody can be blamed, so nobody is refused.
        Place::Folder | Place::Batch => Setback::Unwell(said.clone()),
    };
    match class {
        Class::Wait => Setback::Throttled {
            scope: Scope::SourceMailbox,
            wait,
            said,
        },
        Class::Outage | Class::Retry => Setback::Unwell(said),
        Class::NotTried => match place {
            Place::Item => Setback::NotTried(said),
            Place::Folder | Place::Batch => Setback::Unwell(said),
        },
        Class::Moving => Setback::MailboxClosed(HaltCause::Moving, said),
        Class::Corrupt => item(RefusalWhy::SourceCorrupt),
        Class::Withheld => item(RefusalWhy::SourceDenied),
        Class::Denied => match place {
            Place::Item => item(RefusalWhy::SourceDenied),
            Place::Folder | Place::Batch => Setback::MailboxClosed(HaltCause::SourceDenied, said),
        },
        Class::Gone => match place {
            Place::Item => Setback::Gone,
            Place::Folder => Setback::FolderGone,
            Place::Batch => Setback::Unwell(said),
        },
        Class::FolderGone => match place {
            Place::Item | Place::Folder => Setback::FolderGone,
            Place::Batch => Setback::Unwell(said),
        },
        Class::Resync => Setback::StateInvalid,
        Class::Absent | Class::OurRequest => Setback::OurRequest(said),
        Class::NoMailbox => Setback::MailboxClosed(HaltCause::NoSourceMailbox, said),
        Class::NotImpersonable => Setback::MailboxClosed(HaltCause::ImpersonationDenied, said),
        Class::Closed => Setback::MailboxClosed(HaltCause::SourceDenied, said),
        Class::Credentials => Setback::SideClosed(StopCause::SourceCredentials, said),
        Class::NoImpersonation => Setback::SideClosed(StopCause::NoImpersonation, said),
        Class::ClientRefused => Setback::SideClosed(StopCause::ClientRefused, said),
    }
}

/// What a response message that refuses means. A wrapped error counts as what is inside.
pub fn refused(refused: &Refused, place: Place) -> Setback {
    let code = inmost(refused);
    setback(class_of(code), place, refused.back_off, Said::code(code))
}

/// True when a message about one item speaks of the whole mailbox or store. Nothing may then be held against the item.
pub fn is_outage(refused: &Refused) -> bool {
    matches!(class_of(inmost(refused)), Class::Outage | Class::Moving)
}

fn inmost(refused: &Refused) -> &str {
    match (&refused.code, &refused.inner) {
        (outer, Some(inner)) if outer == "ErrorInternalServerError" && inner != "NoError" => inner,
        (outer, _) => outer,
    }
}

/// What a fault means. Faults concern whole calls.
pub fn fault(fault: &Fault, status: u16, place: Place) -> Setback {
    let said = Said {
        status: Some(status),
        code: Code::new(&fault.code),
    };
    setback(class_of(&fault.code), place, fault.back_off, said)
}

/// What the HTTP layer says beside the status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Retry-After.
    pub retry_after: Option<Span>,
    /// A redirect to Exchange's own page for passing trouble (`/ews/genericerrorpage.htm`).
    pub to_error_page: bool,
}

/// What an answer without response messages means: the fault inside, or else the status (reference/ews.md section 3).
pub fn no_reply(status: u16, hints: Hints, why: &NoReply, place: Place) -> Setback {
    match why {
        NoReply::Fault(inside) => fault(inside, status, place),
        // A login page answers 200: this is not the service.
        NoReply::Misread(MisreadCause::Html) if status == 200 => {
            Setback::SideClosed(StopCause::WrongSourceAddress, Said::status(status))
        }
        NoReply::Misread(cause) if status == 200 => Setback::Misread(*cause, Said::status(status)),
        NoReply::Misread(_) => http(status, hints),
    }
}

/// What a status other than 200 means when no fault explains it.
pub fn http(status: u16, hints: Hints) -> Setback {
    let said = Said::status(status);
    match status {
        300..=399 if hints.to_error_page => Setback::Unwell(said),
        300..=399 | 404 | 405 => Setback::SideClosed(StopCause::WrongSourceAddress, said),
        401 => Setback::SideClosed(StopCause::SourceCredentials, said),
        // EWS is disabled for the mailbox, or for our client; the others may still be open.
        403 => Setback::MailboxClosed(HaltCause::SourceDenied, said),
        429 => Setback::Throttled {
            scope: Scope::SourceServer,
            wait: hints.retry_after,
            said,
        },
        503 if hints.retry_after.is_some() => Setback::Throttled {
            scope: Scope::SourceServer,
            wait: hints.retry_after,
            said,
        },
        // 440 is the login timeout of the web front end, 408 a slow line: neither says anything about us.
        408 | 440 | 500..=599 => Setback::Unwell(said),
        400..=499 => Setback::OurRequest(said),
        _ => Setback::Misread(MisreadCause::Incomplete, said),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn no_code_stands_in_the_table_twice() {
        let mut seen = BTreeMap::new();
        for (code, class) in table() {
            assert_eq!(seen.insert(code, class), None, "{code}");
        }
    }

    #[test]
    fn codes_and_places_lead_to_these_setbacks() {
        let mut text = String::new();
        for (code, class) in table() {
            let _ = writeln!(text, "{code:<55}{class:?}");
        }
        text.push('\n');
        for (class, codes) in TABLE {
            let code = codes.split_ascii_whitespace().next().expect("not empty");
            for place in [Place::Item, Place::Folder, Place::Batch] {
                let setback = setback(*class, place, None, Said::code(code));
                let _ = writeln!(
                    text,
                    "{:<16}{:<8}{setback}",
                    format!("{class:?}"),
                    format!("{place:?}")
                );
            }
        }
        insta::with_settings!({snapshot_path => "../../../tests/data/snapshots", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!("ews_classify", text);
        });
    }

    #[test]
    fn statuses_lead_to_these_setbacks() {
        let mut text = String::new();
        let misread = NoReply::Misread(MisreadCause::Html);
        for status in [
            200, 204, 302, 400, 401, 403, 404, 405, 408, 411, 413, 429, 440, 500, 502, 503, 504,
        ] {
            for retry_after in [None, Some(Span::from_secs(30))] {
                let hints = Hints {
                    retry_after,
                    to_error_page: retry_after.is_some(),
                };
                let setback = no_reply(status, hints, &misread, Place::Batch);
                let with = if retry_after.is_some() { "hints" } else { "" };
                let _ = writeln!(text, "{status} {with:<6}{setback}");
            }
        }
        insta::with_settings!({snapshot_path => "../../../tests/data/snapshots", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!("ews_http", text);
        });
    }

    #[test]
    fn a_wrapped_error_counts_as_what_is_inside() {
        let wrapped = Refused {
            inner: Some("ErrorItemNotFound".to_owned()),
            ..Refused::error("ErrorInternalServerError")
        };
        assert_eq!(refused(&wrapped, Place::Item), Setback::Gone);
    }
}
