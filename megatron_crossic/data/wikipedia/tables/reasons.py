"""What can become of an article in the join: paired, or left without a partner for one reason."""

PAIRED = "paired"
NO_PARTNER = "no_partner"
"""No link starts or ends at the article."""
LINK_TO_SECTION = "link_to_section"
LINK_TO_OTHER_NAMESPACE = "link_to_other_namespace"
PARTNER_NOT_IN_DUMP = "partner_not_in_dump"
REDIRECT_LOOP = "redirect_loop"
REDIRECT_CHAIN_TOO_LONG = "redirect_chain_too_long"
REDIRECT_WITHOUT_TARGET = "redirect_without_target"
REDIRECT_TARGET_NOT_IN_DUMP = "redirect_target_not_in_dump"
REDIRECT_TO_OTHER_NAMESPACE = "redirect_to_other_namespace"
REDIRECT_TO_OTHER_WIKI = "redirect_to_other_wiki"
REDIRECT_TO_SECTION = "redirect_to_section"
"""Only where redirects to sections are not to be followed."""
DUPLICATE_PARTNER = "duplicate_partner"
"""Linked, but the article at the other end has a better link."""

OUTCOMES = (
    PAIRED,
    NO_PARTNER,
    LINK_TO_SECTION,
    LINK_TO_OTHER_NAMESPACE,
    PARTNER_NOT_IN_DUMP,
    REDIRECT_LOOP,
    REDIRECT_CHAIN_TOO_LONG,
    REDIRECT_WITHOUT_TARGET,
    REDIRECT_TARGET_NOT_IN_DUMP,
    REDIRECT_TO_OTHER_NAMESPACE,
    REDIRECT_TO_OTHER_WIKI,
    REDIRECT_TO_SECTION,
    DUPLICATE_PARTNER,
)
"""By their code in arrays of one byte an article."""

CODE = {outcome: code for code, outcome in enumerate(OUTCOMES)}
