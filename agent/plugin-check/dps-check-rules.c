/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-check/dps-check-rules.h"

const DpsCheckRule dps_check_file_rule = {
  "file",
  "a plugin is a shared object, NAME.so with a NAME of [a-z0-9-]{1,32}, and only its "
  "owner"
  " may write it",
  "name it so, link it with -shared, strip it where it is too large, and where others may"
  " write it: chmod go-w FILE",
};
const DpsCheckRule dps_check_symbols_rule = {
  "symbols",
  "it exports one constant, dps_plugin_info, and nothing else",
  "compile with -fvisibility=hidden and mark the constant DPS_PLUGIN_EXPORT",
};
const DpsCheckRule dps_check_load_rule = {
  "load",
  "loading and constructors take 5 s at most, in a process that opens no sockets and "
  "starts"
  " no programs; abi, size and name are those of dps-plugin.h and of the file, and "
  "describe"
  " is there",
  "do in a verb what needs doing, and fill dps_plugin_info as the example in "
  "dps-plugin.h",
};
const DpsCheckRule dps_check_alone_rule = {
  "libraries",
  "what it uses it links; the libraries of dps-plugin-host are no part of the interface",
  "add the missing library to the link line (-Wl,-z,defs finds it when linking)",
};
const DpsCheckRule dps_check_probe_rule = {
  "probe",
  "probe returns OK with usable = now, later or never, and a reason of at most 1024 "
  "bytes of"
  " UTF-8 without control characters",
  "set out->usable and return DPS_PLUGIN_OK also where the machine is not ready yet",
};
const DpsCheckRule dps_check_describe_rule = {
  "describe",
  "describe returns a kind, a registration id of 1 to 128 letters, digits and - . _ :, at"
  " most 16 pairs of material, UTF-8 all of it, and for a symmetric key 16 to 64 bytes",
  "compare what is put into out with the limits at the top of dps-plugin.h",
};
const DpsCheckRule dps_check_confined_rule = {
  "confined",
  "a plugin runs confined: it opens no socket, starts no program, and reads files only"
  " below /usr, /etc/ssl and the plugin directory",
  "open no socket and start no program; have the agent read files by a setting that ends"
  " in -file",
};
const DpsCheckRule dps_check_stable_rule = {
  "stable",
  "describe gives the same answer each time, as long as settings and hardware stay",
  "derive what it returns from the settings, the secrets and the hardware, not from time,"
  " chance or the process",
};
const DpsCheckRule dps_check_answer_rule = {
  "answer",
  "a challenge is 0 to 16384 bytes of anything; answer returns a blob of 1 to 16384 "
  "bytes, or"
  " an error",
  "look at challenge->size before a byte of it is read, and return DPS_PLUGIN_REJECTED "
  "for"
  " what does not fit",
};
const DpsCheckRule dps_check_sign_rule = {
  "sign",
  "sign takes either slot, any mechanism and 0 to 16384 bytes, with a blob or without, "
  "and"
  " returns 1 to 1024 bytes, or an error",
  "return DPS_PLUGIN_NOT_SUPPORTED for an unknown mechanism, and look at sizes before "
  "bytes"
  " are read",
};
const DpsCheckRule dps_check_forget_rule = {
  "forget",
  "forget undoes what answer left outside the blob; nothing to forget is OK",
  "return DPS_PLUGIN_OK where there is nothing, and so when it is called again",
};
const DpsCheckRule dps_check_bare_rule = {
  "unconfigured",
  "a setting or a secret may be missing: get_setting() returns NULL then and get_secret()"
  " FALSE; anything but OK comes with a text by host->set_error()",
  "return DPS_PLUGIN_NOT_CONFIGURED, and name the missing key in the text",
};
const DpsCheckRule dps_check_cause_rule = {
  "cause",
  "a cause named by host->set_cause() is one word, [a-z0-9-]{1,32}; any other is dropped",
  "pass a word as the agent's table of failures has it, and the rest to set_error()",
};
const DpsCheckRule dps_check_deadline_rule = {
  "deadlines",
  "probe has 2 s, describe 10 s, answer 20 s, sign 5 s, forget 10 s; a plugin that "
  "overruns is killed",
  "wait for nothing that may never come, and give waits a limit of your own",
};
const DpsCheckRule dps_check_secrets_rule = {
  "secrets",
  "a secret, or a part of it, is never in a log line, an error text, a reason, the "
  "enrollment"
  " record or public material",
  "say which file or setting is wrong and how, not what it holds",
};
const DpsCheckRule dps_check_memory_rule = {
  "memory",
  "what a plugin returns it has g_malloc()ed and the host frees it; what it gets is "
  "borrowed;"
  " all else it frees itself before the verb returns",
  "see the place that is named: it frees, leaks, or it reads outside of what it was lent;"
  " compile with -g to have its line",
};
