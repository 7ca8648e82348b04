/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "net/dps-failure-rows.h"

#define SELF DPS_HEALS_BY_ITSELF
#define HAND DPS_HEALS_BY_OPERATOR

/* clang-format off */
const DpsFailureRow dps_failure_host_rows[DPS_FAILURE_FIRST_REMOTE] = {
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
    "the TPM is locked out after wrong passwords or power cuts",
    "wait until the lockout ends ('tpm2_getcap properties-variable' shows its "
    "interval), or clear it with 'tpm2_dictionarylockout -c'; find who tries "
    "passwords, the agent does not; power cuts count where the storage root key is "
    "without noda",
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

  [DPS_FAILURE_X509_CERTIFICATE] = {
    "DPS-E231", "attestation",
    "the device's certificate cannot be used",
    "make certificate= under [plugin x509] name a file with the device's certificate "
    "and every intermediate, leaf first, then run 'dpsctl provision'",
    HAND },
  [DPS_FAILURE_X509_KEY] = {
    "DPS-E232", "attestation",
    "the private key of the certificate cannot be used",
    "make key= under [plugin x509] name an RSA key of 2048 bits or more or an EC key on "
    "P-256 or P-384, then run 'dpsctl provision'",
    HAND },
  [DPS_FAILURE_X509_OTHER_ID] = {
    "DPS-E233", "attestation",
    "the certificate is for another registration id than registration-id= says",
    "remove registration-id=, which the certificate's common name then gives, or use "
    "the certificate that was made for this host",
    HAND },
  [DPS_FAILURE_X509_EXPIRED] = {
    "DPS-E234", "attestation",
    "the device's certificate is expired by this host's clock",
    "put a new certificate where certificate= says, then run 'dpsctl provision'; where "
    "the clock is wrong, set it ('timedatectl')",
    HAND },
  [DPS_FAILURE_X509_NOT_YET_VALID] = {
    "DPS-E235", "attestation",
    "the device's certificate is not yet valid by this host's clock",
    "check the clock of this host ('timedatectl'); nothing, where it is right",
    SELF },
  [DPS_FAILURE_X509_KEY_MISMATCH] = {
    "DPS-E236", "attestation",
    "the private key is not the one of the device's certificate",
    "make certificate= and key= under [plugin x509] name what belongs together, then "
    "run 'dpsctl provision'",
    HAND },
  [DPS_FAILURE_X509_CHAIN] = {
    "DPS-E237", "attestation",
    "an intermediate certificate is missing between the device's certificate and its "
    "authority",
    "append every intermediate, each after the one it has issued, to the file that "
    "certificate= names, then run 'dpsctl provision'",
    HAND },
  [DPS_FAILURE_X509_COMMON_NAME] = {
    "DPS-E238", "attestation",
    "the common name of the device's certificate is no registration id",
    "have the certificate issued with the registration id, of at most 64 characters, as "
    "the one common name of its subject",
    HAND },
  [DPS_FAILURE_X509_USAGE] = {
    "DPS-E239", "attestation",
    "the device's certificate may not be used for client authentication",
    "have the certificate issued with digitalSignature and, where it has an extended "
    "key usage, clientAuth",
    HAND },
  [DPS_FAILURE_X509_KEY_FILE] = {
    "DPS-E240", "attestation",
    "the file of the private key is open to others than root and dps-agent",
    "run 'chown root:dps-agent FILE' and 'chmod 0640 FILE'; whoever could read it may "
    "have the key, so replace it where that matters",
    HAND },
  [DPS_FAILURE_X509_PASSPHRASE] = {
    "DPS-E241", "attestation",
    "the passphrase does not open the private key",
    "correct what passphrase-file= under [plugin x509] names, then run 'dpsctl "
    "provision'",
    HAND },
  [DPS_FAILURE_PKCS11_PIN] = {
    "DPS-E242", "attestation",
    "the token refuses the PIN; it is not tried again, since tokens lock",
    "correct what passphrase-file= under [plugin x509] names, then run 'dpsctl "
    "provision'",
    HAND },
  [DPS_FAILURE_PKCS11_PIN_LOCKED] = {
    "DPS-E243", "attestation",
    "the token is locked after wrong PINs",
    "unlock it with the token's own tools and its security officer's PIN, then run "
    "'dpsctl provision'",
    HAND },
  [DPS_FAILURE_PKCS11_NO_TOKEN] = {
    "DPS-E244", "attestation",
    "the token that key= names is not there",
    "nothing, where it is plugged in later; else compare key= under [plugin x509] with "
    "what 'p11tool --list-tokens' prints",
    SELF },
  [DPS_FAILURE_PKCS11_NO_KEY] = {
    "DPS-E245", "attestation",
    "the token does not have the key that key= names",
    "compare key= under [plugin x509] with what 'p11tool --login --list-privkeys' "
    "prints of the token",
    HAND },
  [DPS_FAILURE_PKCS11_MODULE] = {
    "DPS-E246", "attestation",
    "the PKCS#11 module cannot be used",
    "install the package of the module, and correct what key= under [plugin x509] says "
    "of it",
    HAND },
  [DPS_FAILURE_X509_TPM_KEY] = {
    "DPS-E247", "attestation",
    "the TPM does not have the private key, or does not let it sign",
    "correct key= under [plugin x509] ('tpm2_getcap handles-persistent' shows the "
    "handles), or make the key on this machine again",
    HAND },
  [DPS_FAILURE_CERTIFICATE_KEY] = {
    "DPS-E248", "attestation",
    "no key could be made for the certificate that the service is to issue",
    "nothing, where it does not persist; else report it with the journal of dps-agent",
    SELF },
  [DPS_FAILURE_X509_FAILED] = {
    "DPS-E249", "attestation",
    "the private key of the certificate did not sign",
    "nothing, where it does not persist; else look at the journal of dps-agent and at "
    "the device that has the key",
    SELF },
};
/* clang-format on */
