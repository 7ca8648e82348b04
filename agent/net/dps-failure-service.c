/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "net/dps-failure-rows.h"

#define SELF DPS_HEALS_BY_ITSELF
#define HAND DPS_HEALS_BY_OPERATOR

/* clang-format off */
#define ROW(kind) ((kind) - DPS_FAILURE_FIRST_REMOTE)

const DpsFailureRow dps_failure_service_rows[DPS_N_FAILURES - DPS_FAILURE_FIRST_REMOTE] = {
  [ROW (DPS_FAILURE_NAME_UNKNOWN)] = {
    "DPS-E301", "network",
    "the endpoint's name does not resolve",
    "check endpoint=, and that this host's DNS server forwards azure-devices-"
    "provisioning.net to the virtual network, whose private zone needs a record for "
    "this DPS instance",
    SELF },
  [ROW (DPS_FAILURE_CONNECTION_REFUSED)] = {
    "DPS-E302", "network",
    "the endpoint's address refuses the connection",
    "check that the name resolves to the private endpoint ('getent hosts ENDPOINT') "
    "and that no firewall rejects port 443",
    SELF },
  [ROW (DPS_FAILURE_UNREACHABLE)] = {
    "DPS-E303", "network",
    "there is no route to the endpoint",
    "check the VPN or ExpressRoute link to the virtual network and the routes of this "
    "host",
    SELF },
  [ROW (DPS_FAILURE_CONNECT_TIMEOUT)] = {
    "DPS-E304", "network",
    "the endpoint does not answer to a connection",
    "check the VPN link, firewalls on port 443, and that the private endpoint is "
    "approved ('az network private-endpoint-connection list')",
    SELF },
  [ROW (DPS_FAILURE_TLS_NAME)] = {
    "DPS-E305", "network",
    "the server's certificate is for another name",
    "check address= and DNS: the connection reached something that is not the "
    "endpoint, or an inspecting proxy",
    SELF },
  [ROW (DPS_FAILURE_TLS_UNTRUSTED)] = {
    "DPS-E306", "network",
    "the server's certificate comes from an authority this host does not trust",
    "install ca-certificates; where a private authority is meant, name its "
    "certificate with ca-file=; else something between this host and the service "
    "intercepts TLS",
    HAND },
  [ROW (DPS_FAILURE_TLS_TIME)] = {
    "DPS-E307", "network",
    "the server's certificate is expired or not yet valid by this host's clock",
    "check the clock of this host ('timedatectl')",
    SELF },
  [ROW (DPS_FAILURE_TLS_OTHER)] = {
    "DPS-E308", "network",
    "TLS with the endpoint failed",
    "check that nothing between this host and the endpoint interferes with TLS 1.2 or "
    "later",
    SELF },
  [ROW (DPS_FAILURE_CLOSED)] = {
    "DPS-E309", "network",
    "the connection was closed before the answer was complete",
    "nothing, where it does not persist; else look for a proxy or firewall that cuts "
    "connections",
    SELF },
  [ROW (DPS_FAILURE_REQUEST_TIMEOUT)] = {
    "DPS-E310", "network",
    "the service took the request and did not answer in time",
    "nothing, where it does not persist",
    SELF },
  [ROW (DPS_FAILURE_ANSWER_TOO_LARGE)] = {
    "DPS-E311", "network",
    "the answer is larger than any answer of the service",
    "check that the endpoint is reached and not a proxy's page",
    SELF },
  [ROW (DPS_FAILURE_ANSWER_MALFORMED)] = {
    "DPS-E312", "service",
    "the answer is not what the protocol says",
    "nothing, where it does not persist; else report it with the tracking id",
    SELF },
  [ROW (DPS_FAILURE_NOT_THE_SERVICE)] = {
    "DPS-E313", "network",
    "the answer does not come from the service but from something in between",
    "look for a proxy or captive portal on the way to the endpoint",
    SELF },
  [ROW (DPS_FAILURE_CLIENT_REFUSED)] = {
    "DPS-E314", "network",
    "the server refuses this host's certificate in the TLS handshake",
    "check that the certificate is valid and its chain complete; where it is, something "
    "between this host and the service asks for a certificate of its own",
    HAND },
  [ROW (DPS_FAILURE_TLS_SELF_SIGNED)] = {
    "DPS-E315", "network",
    "the server's certificate is signed by itself",
    "where that is meant, name it with ca-file=; else address= or DNS lead to "
    "something that is not the endpoint",
    HAND },
  [ROW (DPS_FAILURE_TLS_ISSUER)] = {
    "DPS-E316", "network",
    "the issuer of the server's certificate is not known to this host",
    "either its authority is not trusted here: install ca-certificates, or name a "
    "private one with ca-file=; or the server does not send its intermediate "
    "certificate, which whoever runs it has to mend",
    HAND },
  [ROW (DPS_FAILURE_TLS_VERSION)] = {
    "DPS-E317", "network",
    "the server does not speak TLS 1.2 or later",
    "look for what stands between this host and the endpoint; the service itself "
    "does",
    HAND },
  [ROW (DPS_FAILURE_TLS_WEAK_KEY)] = {
    "DPS-E318", "network",
    "the server's certificate, or its issuer's, has a key that is too short",
    "look for what stands between this host and the endpoint; the service itself "
    "has RSA keys of 2048 bits or more",
    HAND },
  [ROW (DPS_FAILURE_TLS_WEAK_SIGNATURE)] = {
    "DPS-E319", "network",
    "the server's certificate is signed with SHA-1 or MD5",
    "look for what stands between this host and the endpoint; a private authority "
    "has to sign with SHA-256 or better",
    HAND },
  [ROW (DPS_FAILURE_TLS_USAGE)] = {
    "DPS-E320", "network",
    "the server's certificate is not one for servers",
    "have it issued with serverAuth where the authority is private; else look for "
    "what stands between this host and the endpoint",
    HAND },
  [ROW (DPS_FAILURE_TLS_CUT)] = {
    "DPS-E321", "network",
    "the connection was cut in the middle of the TLS handshake",
    "nothing, where it does not persist; else look for a firewall that inspects "
    "TLS",
    SELF },
  [ROW (DPS_FAILURE_TLS_TIME_IN_SYNC)] = {
    "DPS-E322", "network",
    "the server's certificate is expired or not yet valid, and the clock of this "
    "host is synchronised",
    "look for what stands between this host and the endpoint; where it is a "
    "server of your own, renew its certificate",
    HAND },

  [ROW (DPS_FAILURE_UNAUTHORISED)] = {
    "DPS-E401", "service",
    "the service refuses this host's credential (401)",
    "the key may be wrong, the registration id not enrolled, the id scope another's, "
    "or the enrolment disabled: compare with 'az iot dps enrollment show' run inside "
    "the network; the same answer comes when public access is disabled or an IP "
    "filter applies and this host did not come through the private endpoint; a wrong "
    "clock also does it",
    HAND },
  [ROW (DPS_FAILURE_BAD_REQUEST)] = {
    "DPS-E402", "service",
    "the service calls the request malformed (400)",
    "check registration-id=, id-scope=, api-version= and the payload file against the "
    "enrolment ('az iot dps enrollment show' run inside the network)",
    HAND },
  [ROW (DPS_FAILURE_FORBIDDEN)] = {
    "DPS-E403", "service",
    "the service forbids the request (403)",
    "check the network rules of the DPS instance ('az iot dps show' run inside the "
    "network)",
    HAND },
  [ROW (DPS_FAILURE_NOT_FOUND)] = {
    "DPS-E404", "service",
    "the service does not know the id scope or the enrolment (404)",
    "compare endpoint= and id-scope= with 'az iot dps show' run inside the network",
    HAND },
  [ROW (DPS_FAILURE_THROTTLED)] = {
    "DPS-E405", "service",
    "the service asks to slow down (429)",
    "nothing; where it persists, too many devices register at once: raise splay-"
    "seconds=",
    SELF },
  [ROW (DPS_FAILURE_SERVICE)] = {
    "DPS-E406", "service",
    "the service has a fault of its own (5xx)",
    "nothing; where it persists, report it with the tracking id",
    SELF },
  [ROW (DPS_FAILURE_ALLOCATION_FUNCTION)] = {
    "DPS-E407", "service",
    "the enrolment's custom allocation function failed (400207)",
    "look at the function's own log; DPS cannot reach a function that is locked into "
    "a virtual network",
    SELF },
  [ROW (DPS_FAILURE_NO_HUB)] = {
    "DPS-E408", "service",
    "the service has no hub to assign (400208)",
    "link a hub to the DPS instance ('az iot dps linked-hub list' run inside the "
    "network) and check the allocation policy",
    HAND },
  [ROW (DPS_FAILURE_HUB_REFUSES_SERVICE)] = {
    "DPS-E409", "service",
    "the linked hub refuses the DPS instance; this host's credential is good",
    "renew the link ('az iot dps linked-hub update' run inside the network), and "
    "check that the hub admits the DPS instance",
    HAND },
  [ROW (DPS_FAILURE_REGISTRATION_FAILED)] = {
    "DPS-E410", "service",
    "the registration failed at the service",
    "look up the service code with the tracking id",
    SELF },
  [ROW (DPS_FAILURE_DISABLED)] = {
    "DPS-E411", "service",
    "the enrolment is disabled",
    "enable it ('az iot dps enrollment update' run inside the network)",
    HAND },
  [ROW (DPS_FAILURE_UNKNOWN_STATUS)] = {
    "DPS-E412", "service",
    "the service answers with a status this version does not know",
    "nothing, where it does not persist; else look for a newer version",
    SELF },
  [ROW (DPS_FAILURE_REGISTRATION_TIMEOUT)] = {
    "DPS-E413", "service",
    "the registration was not finished within 15 minutes",
    "nothing, where it does not persist; a custom allocation function may be slow",
    SELF },
  [ROW (DPS_FAILURE_OPERATION_LOST)] = {
    "DPS-E414", "service",
    "the service no longer knows the operation",
    "nothing: the registration is started again",
    SELF },
  [ROW (DPS_FAILURE_BAD_ASSIGNMENT)] = {
    "DPS-E415", "service",
    "the assignment names no valid hub and device",
    "check the enrolment's device id and the linked hubs ('az iot dps linked-hub "
    "list' run inside the network)",
    HAND },
  [ROW (DPS_FAILURE_CHALLENGED_AGAIN)] = {
    "DPS-E416", "service",
    "the service challenges this host a second time, so it did not take the first "
    "answer",
    "compare the enrolment with 'dpsctl enrollment' ('az iot dps enrollment show' run "
    "inside the network)",
    HAND },
  [ROW (DPS_FAILURE_CHALLENGE_UNEXPECTED)] = {
    "DPS-E417", "service",
    "the service challenges a TPM, and attestation= names another plugin",
    "set attestation=tpm, or enrol this host with the attestation it is configured "
    "for ('az iot dps enrollment show' run inside the network)",
    HAND },
  [ROW (DPS_FAILURE_NO_CHALLENGE)] = {
    "DPS-E418", "service",
    "the service took a registration without challenging the TPM",
    "check that endpoint= is the service; it is not trusted with a registration that "
    "nothing proved",
    HAND },
  [ROW (DPS_FAILURE_NO_HUB_KEY)] = {
    "DPS-E419", "service",
    "the assignment has no key for the TPM",
    "nothing, where it does not persist; else report it with the tracking id",
    SELF },
  [ROW (DPS_FAILURE_ISSUED_CHAIN)] = {
    "DPS-E420", "service",
    "the certificate that the service issued is not the one this host asked for",
    "nothing, where it does not persist; else check the certificate policy of the "
    "enrolment ('az iot dps enrollment show' run inside the network)",
    SELF },
  [ROW (DPS_FAILURE_NO_ISSUED_CHAIN)] = {
    "DPS-E421", "service",
    "the service issued no certificate, although this host asked for one",
    "give the enrolment a certificate policy, or set certificate-issuance=no under "
    "[provisioning]",
    HAND },

  [ROW (DPS_FAILURE_HUB_REFUSED)] = {
    "DPS-E501", "hub",
    "the hub refuses the identity that DPS assigned",
    "check that the device exists and is enabled in the hub ('az iot hub device-"
    "identity show' run inside the network)",
    HAND },
  [ROW (DPS_FAILURE_UNVERIFIED)] = {
    "DPS-E502", "hub",
    "the identity is in force but the hub could not be asked about it",
    "check that the hub's name resolves and answers from this host; it is asked again",
    SELF },
  [ROW (DPS_FAILURE_CERTIFICATE_EXPIRES)] = {
    "DPS-E503", "hub",
    "the device's certificate expires soon",
    "nothing, where the service issues it: the agent renews it, and Reason says what "
    "keeps it from that; else put a new one where certificate= says",
    SELF },

  [ROW (DPS_FAILURE_STORE_WRITE)] = {
    "DPS-E601", "store",
    "the store could not be written; what it held is unchanged",
    "check the space and the permissions of /var/lib/dps-agent",
    HAND },
  [ROW (DPS_FAILURE_STORE_READ)] = {
    "DPS-E602", "store",
    "the store cannot be read",
    "look at /var/lib/dps-agent/quarantine; 'dpsctl reset --yes' and 'dpsctl "
    "provision' make a new identity, for which a device of a group needs the group key "
    "again",
    HAND },
  [ROW (DPS_FAILURE_STORE_NEWER)] = {
    "DPS-E603", "store",
    "the store was written by a newer version",
    "install that version again, or run 'dpsctl reset --yes', after which a device of a "
    "group needs the group key again",
    HAND },
  [ROW (DPS_FAILURE_STORE_OPEN)] = {
    "DPS-E604", "store",
    "the state directory cannot be used; nothing in it was touched",
    "do what the text says, then run 'dpsctl provision'",
    HAND },
  [ROW (DPS_FAILURE_STORE_SEALED)] = {
    "DPS-E605", "store",
    "what is stored is sealed by a TPM that cannot be used now; nothing was lost",
    "make the TPM usable again (the text says what is wrong with it); the agent goes "
    "on by itself then; or give the identity up with 'dpsctl reset --yes'",
    SELF },
  [ROW (DPS_FAILURE_STORE_CLONE)] = {
    "DPS-E606", "store",
    "what is stored belongs to another machine: this disk is a copy, and nothing is "
    "sent with it",
    "run 'dpsctl reset --yes' and 'dpsctl provision' to give this machine an identity "
    "of its own; remove the state directory from images before they are copied",
    HAND },
  [ROW (DPS_FAILURE_STORE_UNPROTECTED)] = {
    "DPS-E607", "store",
    "required-protection=tpm2, and no TPM can seal the identity",
    "make the TPM usable (the text says what is wrong with it), or set "
    "required-protection=none under [store]",
    SELF },

  [ROW (DPS_FAILURE_CANCELLED)] = {
    "DPS-E701", "control",
    "an operator cancelled the attempt",
    "run 'dpsctl provision' to go on",
    HAND },
  [ROW (DPS_FAILURE_INTERNAL)] = {
    "DPS-E702", "control",
    "the agent met a condition it does not expect",
    "report it with the journal of dps-agent",
    SELF },
};
/* clang-format on */
