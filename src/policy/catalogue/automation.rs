//! The automations that rules of data protection and of payments name: a closed list, since a name
//! that nobody knows automates nothing.
//!
//! Whether there is evidence of one is the business of [`crate::compliance`].

macro_rules! automations {
    ($($name:ident = $text:literal of $rule:literal: $about:literal,)*) => {
        /// What automates a rule.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Automation {
            $(#[doc = $about] $name,)*
        }

        impl Automation {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// All names.
            pub const NAMES: &'static [&'static str] = &[$($text,)*];

            /// The name in a document.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The rule that it usually belongs to.
            pub fn rule(self) -> &'static str {
                match self { $(Self::$name => $rule,)* }
            }

            /// What it does, in a clause.
            pub fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)* }
            }
        }
    };
}

automations! {
    ConsentCheckBeforeProcessing = "consent_check_before_processing" of "consent_validation": "Somebody asks for consent before personal data are processed",
    ConsentWithdrawalHandling = "consent_withdrawal_handling" of "consent_validation": "Behind a withdrawn consent nothing is processed",
    ConsentAuditTrail = "consent_audit_trail" of "consent_validation": "Consents and withdrawals are recorded",
    PurposeValidationBeforeAccess = "purpose_validation_before_access" of "purpose_limitation": "The purpose is held against the stated ones before data are handed out",
    PurposeChangeNotification = "purpose_change_notification" of "purpose_limitation": "Those concerned are told when a purpose changes",
    UnauthorizedUseDetection = "unauthorized_use_detection" of "purpose_limitation": "Use for another purpose is found",
    DataNecessityValidation = "data_necessity_validation" of "data_minimization": "What is collected is held against what is needed",
    ExcessiveDataCollectionPrevention = "excessive_data_collection_prevention" of "data_minimization": "What is not needed is not collected",
    PeriodicDataReview = "periodic_data_review" of "data_minimization": "Somebody looks again, at set times, whether the data are still needed",
    EncryptionEnforcement = "encryption_enforcement" of "cardholder_data_protection": "Data of card holders are encrypted",
    KeyManagementValidation = "key_management_validation" of "cardholder_data_protection": "Keys have owners, terms and rotations",
    AccessLogging = "access_logging" of "cardholder_data_protection": "Who did what is recorded",
    MfaEnforcement = "mfa_enforcement" of "strong_customer_authentication": "A second factor is asked for",
    AuthenticationStrengthValidation = "authentication_strength_validation" of "strong_customer_authentication": "How strong the factors are is checked",
    SessionManagement = "session_management" of "strong_customer_authentication": "What was opened closes again",
}

impl Automation {
    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|automation| automation.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_fifteen_each_found_by_its_name() {
        assert_eq!(Automation::ALL.len(), 15);
        for automation in Automation::ALL {
            assert_eq!(Automation::parse(automation.as_str()), Some(*automation));
        }
        assert_eq!(Automation::parse("Consent_Audit_Trail"), None);
    }
}
