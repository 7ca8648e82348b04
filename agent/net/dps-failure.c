/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "net/dps-failure.h"

#define SELF DPS_HEALS_BY_ITSELF
#define HAND DPS_HEALS_BY_OPERATOR

/* clang-format off */
static const DpsFailureRow rows[DPS_N_FAILURES] = {
  [DPS_FAILURE_NONE] = {
    "", "",
    "",
    "",
    SELF },
  [DPS_FAILURE_CONFIG_INVALID] = {
    "DPS-E101", "configuration",
    "the configuration has an error",
    "correct the named line, then run 'dpsctl reload'",
    HAND },
  [DPS_FAILURE_NOT_CONFIGURED] = {
    "DPS-E102", "configuration",
    "the agent is not configured",
    "put endpoint=, id-scope= and attestation= under [provisioning] in a file of "
    "/etc/dps-agent/agent.conf.d, then run 'dpsctl provision'",
    HAND },
  [DPS_FAILURE_CONFIG_UNSUPPORTED] = {
    "DPS-E103", "configuration",
    "the configuration asks for something this version does not do",
    "remove the named line or install a version that does it (NEWS)",
    HAND },
  [DPS_FAILURE_SECRET_FILE] = {
    "DPS-E104", "configuration",
    "a key file cannot be used",
    "correct the named file, or run 'dpsctl import-key FILE'",
    HAND },
  [DPS_FAILURE_PAYLOAD_FILE] = {
    "DPS-E105", "configuration",
    "the payload file cannot be used",
    "make payload-file= name a JSON file of at most 64 KiB",
    HAND },
  [DPS_FAILURE_GROUP_KEY_REMAINS] = {
    "DPS-E106", "configuration",
    "the group key remains on the host, and whoever reads it can be any device of the "
    "group",
    "once this host is provisioned, remove the named file, or the credential from "
    "dps-agent.service and from where it is kept; the device key stays in the store",
    HAND },
  [DPS_FAILURE_GROUP_KEY_GONE] = {
    "DPS-E107", "configuration",
    "there is no device key for this registration id, and no group key to derive it "
    "from",
    "put the group key where group-key-file= says, or run 'dpsctl import-key --group "
    "FILE', then 'dpsctl provision'",
    HAND },
  [DPS_FAILURE_GROUP_KEY_FILE] = {
    "DPS-E108", "configuration",
    "the group key cannot be used",
    "correct what group-key-file= names, then run 'dpsctl provision'; or run 'dpsctl "
    "import-key --group FILE', which overrules it, and remove it",
    HAND },

  [DPS_FAILURE_PLUGIN_UNUSABLE] = {
    "DPS-E201", "attestation",
    "the attestation plugin cannot be used",
    "install the package of the plugin named by attestation=, and look at 'dpsctl "
    "plugins'",
    HAND },
  [DPS_FAILURE_PLUGIN_CRASHED] = {
    "DPS-E202", "attestation",
    "the attestation plugin crashed",
    "look at the journal of dps-agent; report the crash to the plugin's author",
    SELF },
  [DPS_FAILURE_PLUGIN_TIMED_OUT] = {
    "DPS-E203", "attestation",
    "the attestation plugin did not answer in time",
    "look at the journal of dps-agent and at the device the plugin uses",
    SELF },
  [DPS_FAILURE_PLUGIN_REFUSED] = {
    "DPS-E204", "attestation",
    "the attestation plugin cannot attest this host",
    "do what the plugin asks for, then run 'dpsctl provision'",
    HAND },
  [DPS_FAILURE_PLUGIN_LATER] = {
    "DPS-E205", "attestation",
    "the attestation plugin is not ready yet",
    "nothing, where what it waits for appears; else do what the plugin asks for",
    SELF },
  [DPS_FAILURE_NO_REGISTRATION_ID] = {
    "DPS-E206", "attestation",
    "there is no registration id, or not a valid one",
    "set registration-id= under [provisioning]; it is the one of the enrolment",
    HAND },

  [DPS_FAILURE_TPM_NO_DEVICE] = {
    "DPS-E211", "attestation",
    "there is no TPM at the place that tcti= names",
    "nothing, where the device appears later: the agent goes on by itself then; else "
    "enable the TPM in the firmware's setup, load its driver, or correct tcti= under "
    "[tpm]",
    SELF },
  [DPS_FAILURE_TPM_PERMISSION] = {
    "DPS-E212", "attestation",
    "the TPM may not be opened",
    "install dps-agent-plugin-tpm, which brings the group tss and its rights, and "
    "look at 'ls -l /dev/tpmrm0' and at the DeviceAllow= of dps-agent.service",
    HAND },
  [DPS_FAILURE_TPM_RAW_ONLY] = {
    "DPS-E213", "attestation",
    "there is /dev/tpm0 without /dev/tpmrm0: the kernel does not manage the resources "
    "of this TPM",
    "use a kernel with CONFIG_TCG_TPM and a TPM 2.0 (a TPM 1.2 has no /dev/tpmrm0); "
    "the raw device is not used, since two programs on it disturb each other",
    HAND },
  [DPS_FAILURE_TPM_TIMED_OUT] = {
    "DPS-E214", "attestation",
    "the TPM did not respond in time",
    "nothing, where it does not persist; else look at the kernel's log ('journalctl "
    "-k -g tpm'), and power the host off and on",
    SELF },
  [DPS_FAILURE_TPM_LOST] = {
    "DPS-E215", "attestation",
    "the connection to the TPM broke, or its response is none",
    "nothing, where it does not persist; else look at the kernel's log ('journalctl "
    "-k -g tpm')",
    SELF },
  [DPS_FAILURE_TPM_CLEARED] = {
    "DPS-E216", "attestation",
    "the TPM was cleared, and what it had sealed is lost",
    "nothing: the host is attested again; it needs the same enrolment",
    SELF },
  [DPS_FAILURE_TPM_REPLACED] = {
    "DPS-E217", "attestation",
    "this is another TPM than before",
    "nothing, where the new TPM is enrolled: the host is attested again; else enrol "
    "it with what 'dpsctl enrollment' prints",
    SELF },
  [DPS_FAILURE_TPM_OWNER_AUTH] = {
    "DPS-E218", "attestation",
    "the TPM wants another password of the owner hierarchy",
    "put the password where owner-auth-file= under [tpm] says, then run 'dpsctl "
    "provision'",
    HAND },
  [DPS_FAILURE_TPM_ENDORSEMENT_AUTH] = {
    "DPS-E219", "attestation",
    "the TPM wants another password of the endorsement hierarchy",
    "put the password where endorsement-auth-file= under [tpm] says, then run 'dpsctl "
    "provision'",
    HAND },
  [DPS_FAILURE_TPM_SRK_AUTH] = {
    "DPS-E220", "attestation",
    "the TPM wants another password of the storage root key",
    "put the password where srk-auth-file= under [tpm] says, then run 'dpsctl "
    "provision'",
    HAND },
  [DPS_FAILURE_TPM_LOCKOUT] = {
    "DPS-E221", "attestation",
    "the TPM is locked out after wrong passwords",
    "wait until the lockout ends ('tpm2_getcap properties-variable' shows its "
    "interval), or clear it with 'tpm2_dictionarylockout -c'; find who tries "
    "passwords, the agent does not",
    SELF },
  [DPS_FAILURE_TPM_OTHER_EK] = {
    "DPS-E222", "attestation",
    "the challenge of the service is for another endorsement key",
    "compare the enrolment with 'dpsctl enrollment', and ek-template= with how it was "
    "made ('az iot dps enrollment show' run inside the network)",
    HAND },
  [DPS_FAILURE_TPM_OTHER_SRK] = {
    "DPS-E223", "attestation",
    "the challenge of the service is for another storage root key",
    "nothing, where it does not persist: the storage root key changed while the host "
    "registered",
    SELF },
  [DPS_FAILURE_TPM_CHALLENGE_MALFORMED] = {
    "DPS-E224", "attestation",
    "the challenge of the service is not what the protocol says",
    "nothing, where it does not persist; else report it with the tracking id",
    SELF },
  [DPS_FAILURE_TPM_CHALLENGE_DAMAGED] = {
    "DPS-E225", "attestation",
    "the challenge of the service was changed on its way or made wrong",
    "nothing, where it does not persist; else look for what stands between this host "
    "and the endpoint",
    SELF },
  [DPS_FAILURE_TPM_BUSY] = {
    "DPS-E226", "attestation",
    "the TPM was busy for too long",
    "nothing, where it does not persist; else look for what else uses the TPM",
    SELF },
  [DPS_FAILURE_TPM_MEMORY] = {
    "DPS-E227", "attestation",
    "the TPM has no room for another key or session",
    "nothing, where it does not persist; else look for a program that uses /dev/tpm0 "
    "and leaves objects there ('tpm2_getcap handles-transient')",
    SELF },
  [DPS_FAILURE_TPM_NV_FULL] = {
    "DPS-E228", "attestation",
    "the TPM has no room for another persistent key",
    "remove one that nothing needs ('tpm2_getcap handles-persistent', "
    "'tpm2_evictcontrol'), or set persist-ek=no under [plugin tpm]",
    HAND },
  [DPS_FAILURE_TPM_NOT_SUPPORTED] = {
    "DPS-E229", "attestation",
    "the TPM lacks what attestation needs",
    "use a TPM 2.0 with RSA 2048, SHA-256 and AES-128, or another attestation=",
    HAND },
  [DPS_FAILURE_TPM_FAILED] = {
    "DPS-E230", "attestation",
    "the TPM refused a command",
    "look up the response code with 'tpm2_rc_decode'; report it with the journal of "
    "dps-agent where it persists",
    SELF },

  [DPS_FAILURE_NAME_UNKNOWN] = {
    "DPS-E301", "network",
    "the endpoint's name does not resolve",
    "check endpoint=, and that this host's DNS server forwards azure-devices-"
    "provisioning.net to the virtual network, whose private zone needs a record for "
    "this DPS instance",
    SELF },
  [DPS_FAILURE_CONNECTION_REFUSED] = {
    "DPS-E302", "network",
    "the endpoint's address refuses the connection",
    "check that the name resolves to the private endpoint ('getent hosts ENDPOINT') "
    "and that no firewall rejects port 443",
    SELF },
  [DPS_FAILURE_UNREACHABLE] = {
    "DPS-E303", "network",
    "there is no route to the endpoint",
    "check the VPN or ExpressRoute link to the virtual network and the routes of this "
    "host",
    SELF },
  [DPS_FAILURE_CONNECT_TIMEOUT] = {
    "DPS-E304", "network",
    "the endpoint does not answer to a connection",
    "check the VPN link, firewalls on port 443, and that the private endpoint is "
    "approved ('az network private-endpoint-connection list')",
    SELF },
  [DPS_FAILURE_TLS_NAME] = {
    "DPS-E305", "network",
    "the server's certificate is for another name",
    "check address= and DNS: the connection reached something that is not the "
    "endpoint, or an inspecting proxy",
    SELF },
  [DPS_FAILURE_TLS_UNTRUSTED] = {
    "DPS-E306", "network",
    "the server's certificate comes from an authority this host does not trust",
    "install ca-certificates; where a private authority is meant, name its "
    "certificate with ca-file=; else something between this host and the service "
    "intercepts TLS",
    HAND },
  [DPS_FAILURE_TLS_TIME] = {
    "DPS-E307", "network",
    "the server's certificate is expired or not yet valid by this host's clock",
    "check the clock of this host ('timedatectl')",
    SELF },
  [DPS_FAILURE_TLS_OTHER] = {
    "DPS-E308", "network",
    "TLS with the endpoint failed",
    "check that nothing between this host and the endpoint interferes with TLS 1.2 or "
    "later",
    SELF },
  [DPS_FAILURE_CLOSED] = {
    "DPS-E309", "network",
    "the connection was closed before the answer was complete",
    "nothing, where it does not persist; else look for a proxy or firewall that cuts "
    "connections",
    SELF },
  [DPS_FAILURE_REQUEST_TIMEOUT] = {
    "DPS-E310", "network",
    "the service took the request and did not answer in time",
    "nothing, where it does not persist",
    SELF },
  [DPS_FAILURE_ANSWER_TOO_LARGE] = {
    "DPS-E311", "network",
    "the answer is larger than any answer of the service",
    "check that the endpoint is reached and not a proxy's page",
    SELF },
  [DPS_FAILURE_ANSWER_MALFORMED] = {
    "DPS-E312", "service",
    "the answer is not what the protocol says",
    "nothing, where it does not persist; else report it with the tracking id",
    SELF },
  [DPS_FAILURE_NOT_THE_SERVICE] = {
    "DPS-E313", "network",
    "the answer does not come from the service but from something in between",
    "look for a proxy or captive portal on the way to the endpoint",
    SELF },

  [DPS_FAILURE_UNAUTHORISED] = {
    "DPS-E401", "service",
    "the service refuses this host's credential (401)",
    "the key may be wrong, the registration id not enrolled, the id scope another's, "
    "or the enrolment disabled: compare with 'az iot dps enrollment show' run inside "
    "the network; the same answer comes when public access is disabled or an IP "
    "filter applies and this host did not come through the private endpoint; a wrong "
    "clock also does it",
    HAND },
  [DPS_FAILURE_BAD_REQUEST] = {
    "DPS-E402", "service",
    "the service calls the request malformed (400)",
    "check registration-id=, id-scope=, api-version= and the payload file against the "
    "enrolment ('az iot dps enrollment show' run inside the network)",
    HAND },
  [DPS_FAILURE_FORBIDDEN] = {
    "DPS-E403", "service",
    "the service forbids the request (403)",
    "check the network rules of the DPS instance ('az iot dps show' run inside the "
    "network)",
    HAND },
  [DPS_FAILURE_NOT_FOUND] = {
    "DPS-E404", "service",
    "the service does not know the id scope or the enrolment (404)",
    "compare endpoint= and id-scope= with 'az iot dps show' run inside the network",
    HAND },
  [DPS_FAILURE_THROTTLED] = {
    "DPS-E405", "service",
    "the service asks to slow down (429)",
    "nothing; where it persists, too many devices register at once: raise splay-"
    "seconds=",
    SELF },
  [DPS_FAILURE_SERVICE] = {
    "DPS-E406", "service",
    "the service has a fault of its own (5xx)",
    "nothing; where it persists, report it with the tracking id",
    SELF },
  [DPS_FAILURE_ALLOCATION_FUNCTION] = {
    "DPS-E407", "service",
    "the enrolment's custom allocation function failed (400207)",
    "look at the function's own log; DPS cannot reach a function that is locked into "
    "a virtual network",
    SELF },
  [DPS_FAILURE_NO_HUB] = {
    "DPS-E408", "service",
    "the service has no hub to assign (400208)",
    "link a hub to the DPS instance ('az iot dps linked-hub list' run inside the "
    "network) and check the allocation policy",
    HAND },
  [DPS_FAILURE_HUB_REFUSES_SERVICE] = {
    "DPS-E409", "service",
    "the linked hub refuses the DPS instance; this host's credential is good",
    "renew the link ('az iot dps linked-hub update' run inside the network), and "
    "check that the hub admits the DPS instance",
    HAND },
  [DPS_FAILURE_REGISTRATION_FAILED] = {
    "DPS-E410", "service",
    "the registration failed at the service",
    "look up the service code with the tracking id",
    SELF },
  [DPS_FAILURE_DISABLED] = {
    "DPS-E411", "service",
    "the enrolment is disabled",
    "enable it ('az iot dps enrollment update' run inside the network)",
    HAND },
  [DPS_FAILURE_UNKNOWN_STATUS] = {
    "DPS-E412", "service",
    "the service answers with a status this version does not know",
    "nothing, where it does not persist; else look for a newer version",
    SELF },
  [DPS_FAILURE_REGISTRATION_TIMEOUT] = {
    "DPS-E413", "service",
    "the registration was not finished within 15 minutes",
    "nothing, where it does not persist; a custom allocation function may be slow",
    SELF },
  [DPS_FAILURE_OPERATION_LOST] = {
    "DPS-E414", "service",
    "the service no longer knows the operation",
    "nothing: the registration is started again",
    SELF },
  [DPS_FAILURE_BAD_ASSIGNMENT] = {
    "DPS-E415", "service",
    "the assignment names no valid hub and device",
    "check the enrolment's device id and the linked hubs ('az iot dps linked-hub "
    "list' run inside the network)",
    HAND },
  [DPS_FAILURE_CHALLENGED_AGAIN] = {
    "DPS-E416", "service",
    "the service challenges this host a second time, so it did not take the first "
    "answer",
    "compare the enrolment with 'dpsctl enrollment' ('az iot dps enrollment show' run "
    "inside the network)",
    HAND },
  [DPS_FAILURE_CHALLENGE_UNEXPECTED] = {
    "DPS-E417", "service",
    "the service challenges a TPM, and attestation= names another plugin",
    "set attestation=tpm, or enrol this host with the attestation it is configured "
    "for ('az iot dps enrollment show' run inside the network)",
    HAND },
  [DPS_FAILURE_NO_CHALLENGE] = {
    "DPS-E418", "service",
    "the service took a registration without challenging the TPM",
    "check that endpoint= is the service; it is not trusted with a registration that "
    "nothing proved",
    HAND },
  [DPS_FAILURE_NO_HUB_KEY] = {
    "DPS-E419", "service",
    "the assignment has no key for the TPM",
    "nothing, where it does not persist; else report it with the tracking id",
    SELF },

  [DPS_FAILURE_HUB_REFUSED] = {
    "DPS-E501", "hub",
    "the hub refuses the identity that DPS assigned",
    "check that the device exists and is enabled in the hub ('az iot hub device-"
    "identity show' run inside the network)",
    HAND },
  [DPS_FAILURE_UNVERIFIED] = {
    "DPS-E502", "hub",
    "the identity is in force but the hub could not be asked about it",
    "check that the hub's name resolves and answers from this host; it is asked again",
    SELF },

  [DPS_FAILURE_STORE_WRITE] = {
    "DPS-E601", "store",
    "the store could not be written; what it held is unchanged",
    "check the space and the permissions of /var/lib/dps-agent",
    HAND },
  [DPS_FAILURE_STORE_READ] = {
    "DPS-E602", "store",
    "the store cannot be read",
    "look at /var/lib/dps-agent/quarantine; 'dpsctl reset --yes' and 'dpsctl "
    "provision' make a new identity, for which a device of a group needs the group key "
    "again",
    HAND },
  [DPS_FAILURE_STORE_NEWER] = {
    "DPS-E603", "store",
    "the store was written by a newer version",
    "install that version again, or run 'dpsctl reset --yes', after which a device of a "
    "group needs the group key again",
    HAND },
  [DPS_FAILURE_STORE_OPEN] = {
    "DPS-E604", "store",
    "the state directory cannot be used; nothing in it was touched",
    "do what the text says, then run 'dpsctl provision'",
    HAND },
  [DPS_FAILURE_STORE_SEALED] = {
    "DPS-E605", "store",
    "what is stored is sealed by a TPM that cannot be used now; nothing was lost",
    "make the TPM usable again (the text says what is wrong with it); the agent goes "
    "on by itself then; or give the identity up with 'dpsctl reset --yes'",
    SELF },
  [DPS_FAILURE_STORE_CLONE] = {
    "DPS-E606", "store",
    "what is stored belongs to another machine: this disk is a copy, and nothing is "
    "sent with it",
    "run 'dpsctl reset --yes' and 'dpsctl provision' to give this machine an identity "
    "of its own; remove the state directory from images before they are copied",
    HAND },
  [DPS_FAILURE_STORE_UNPROTECTED] = {
    "DPS-E607", "store",
    "required-protection=tpm2, and no TPM can seal the identity",
    "make the TPM usable (the text says what is wrong with it), or set "
    "required-protection=none under [store]",
    SELF },

  [DPS_FAILURE_CANCELLED] = {
    "DPS-E701", "control",
    "an operator cancelled the attempt",
    "run 'dpsctl provision' to go on",
    HAND },
  [DPS_FAILURE_INTERNAL] = {
    "DPS-E702", "control",
    "the agent met a condition it does not expect",
    "report it with the journal of dps-agent",
    SELF },
};
/* clang-format on */

const DpsFailureRow *
dps_failure_row (DpsFailureKind kind)
{
  g_return_val_if_fail (kind < DPS_N_FAILURES, &rows[DPS_FAILURE_INTERNAL]);

  return &rows[kind];
}

DpsFailure *
dps_failure_new (DpsFailureKind kind, const char *detail, ...)
{
  DpsFailure *self = g_new0 (DpsFailure, 1);
  va_list args;

  g_atomic_ref_count_init (&self->refs);
  self->kind = kind;
  if (detail != NULL)
    {
      va_start (args, detail);
      self->detail = g_strdup_vprintf (detail, args);
      va_end (args);
    }
  return self;
}

DpsFailure *
dps_failure_new_from_error (DpsFailureKind kind, const GError *error)
{
  return dps_failure_new (kind, "%s", error ? error->message : "");
}

DpsFailure *
dps_failure_ref (DpsFailure *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
dps_failure_unref (DpsFailure *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_free (self->detail);
  g_free (self->tracking_id);
  g_free (self);
}

char *
dps_failure_describe (const DpsFailure *self)
{
  GString *text = g_string_new (dps_failure_row (self->kind)->cause);

  if (self->detail != NULL && *self->detail != '\0')
    g_string_append_printf (text, ": %s", self->detail);
  if (self->http_status != 0)
    g_string_append_printf (text, "; HTTP status %u", self->http_status);
  if (self->service_code != 0)
    g_string_append_printf (text, "; service code %u", self->service_code);
  if (self->tracking_id != NULL)
    g_string_append_printf (text, "; tracking id %s", self->tracking_id);
  return g_string_free (text, FALSE);
}

GError *
dps_failure_to_error (const DpsFailure *self, DpsError code)
{
  const DpsFailureRow *row = dps_failure_row (self->kind);
  g_autofree char *text = dps_failure_describe (self);

  return g_error_new (DPS_ERROR, (gint) code, "%s %s; %s", row->code, text, row->remedy);
}

/* A code that stands in a failed registrationState speaks of the service's own dealings.
 */
static DpsFailureKind
diagnose_state (const DpsAnswerFacts *facts)
{
  if (facts->is_disabled)
    return DPS_FAILURE_DISABLED;
  switch (facts->service_code)
    {
    case 400207:
      return DPS_FAILURE_ALLOCATION_FUNCTION;
    case 400208:
      return DPS_FAILURE_NO_HUB;
    case 400209:
    case 401001:
    case 401002:
      return DPS_FAILURE_HUB_REFUSES_SERVICE;
    default:
      return DPS_FAILURE_REGISTRATION_FAILED;
    }
}

DpsFailureKind
dps_failure_diagnose (const DpsAnswerFacts *facts)
{
  if (facts->in_state)
    return diagnose_state (facts);
  if (facts->http_status == 429)
    return DPS_FAILURE_THROTTLED;
  if (facts->http_status >= 500)
    return DPS_FAILURE_SERVICE;
  /* A 401 with a proxy's page still is what a refused network looks like to the operator.
   */
  if (facts->foreign && facts->http_status != 401)
    return DPS_FAILURE_NOT_THE_SERVICE;
  switch (facts->http_status)
    {
    case 401:
      return DPS_FAILURE_UNAUTHORISED;
    case 403:
      return DPS_FAILURE_FORBIDDEN;
    case 404:
      return facts->polling ? DPS_FAILURE_OPERATION_LOST : DPS_FAILURE_NOT_FOUND;
    case 409:
      return DPS_FAILURE_SERVICE;
    default:
      return facts->http_status >= 400 ? DPS_FAILURE_BAD_REQUEST
                                       : DPS_FAILURE_ANSWER_MALFORMED;
    }
}
