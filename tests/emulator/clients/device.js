// SPDX-License-Identifier: LGPL-2.1-or-later
// A device made of the official packages, as an application would use them.
//
//   device.js provision HOST SCOPE REGISTRATION-ID [PAYLOAD]     the device's key on stdin
//   device.js member HOST SCOPE REGISTRATION-ID                  its group's key on stdin
//   device.js telemetry HOST DEVICE-ID [SIZE]                    the device's key on stdin
//   device.js tpm-identity TPM                                   TPM is a Unix socket
//   device.js tpm-provision TPM HOST SCOPE [REGISTRATION-ID]
//   device.js tpm-telemetry TPM HOST DEVICE-ID
//   device.js x509-provision CHAIN HOST SCOPE REGISTRATION-ID    CHAIN is a file; its key on stdin
//   device.js x509-telemetry CHAIN HOST DEVICE-ID                likewise
//
// Prints JSON lines: {"request":…} for what goes out, as Node's own HTTP client tells it, and
// last {"result":…} or {"error":…}. Exits 0 with a result, 1 with an error. No line holds a
// key or a signature.
'use strict';

const { createHmac } = require('node:crypto');
const { subscribe } = require('node:diagnostics_channel');
const { readFileSync } = require('node:fs');
const { connect } = require('node:net');
const { promisify } = require('node:util');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http: ProvisioningHttp } = require('azure-iot-provisioning-device-http');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
const { X509Security } = require('azure-iot-security-x509');
const { TpmSecurityClient, TpmAuthenticationProvider } = require('azure-iot-security-tpm');
const { Tpm } = require('tss.js');
const { Client, Message } = require('azure-iot-device');
const { Http: DeviceHttp } = require('azure-iot-device-http');

const print = (line) => console.log(JSON.stringify(line));

// The members of a token in the order sent; of the signature only that it is there.
function describeToken(authorization) {
  const [, scheme, rest] = /^(\S+) (.*)$/.exec(authorization);
  const members = rest.split('&').map((pair) => /^([^=]*)=(.*)$/.exec(pair).slice(1));
  const { sr, se, skn } = Object.fromEntries(members);
  return { scheme, order: members.map(([name]) => name).join(' '), sr, skn,
           seconds: Number(se) - Math.floor(Date.now() / 1000) };
}

subscribe('http.client.request.start', ({ request }) => {
  const { authorization, ...headers } = request.getHeaders();
  const token = authorization && describeToken(authorization);
  print({ request: { method: request.method, path: request.path, headers, token } });
});

function provision(key, [host, scope, id, payload]) {
  const client = ProvisioningDeviceClient.create(host, scope, new ProvisioningHttp(),
    new SymmetricKeySecurityClient(id, key));
  if (payload) client.setProvisioningPayload(JSON.parse(payload));
  return client.register();
}

// A TPM behind a socket that carries its commands and nothing else. The package itself knows
// the kernel's devices, and a simulator with a protocol of its own.
class SocketDevice {
  constructor(path) { this.path = path; }

  connect(done) {
    this.socket = connect(this.path, () => done(null));
    return null;
  }

  dispatchCommand(command, done) {
    let answer = Buffer.alloc(0);
    this.socket.removeAllListeners('data').on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length >= 10 && answer.length >= answer.readUInt32BE(2)) done(null, answer);
    }).write(command);
  }

  close() { this.socket?.destroy(); }
}

class SocketTpm extends Tpm {
  constructor(path) {
    super();
    this.device = new SocketDevice(path);
  }
}

async function withTpm(path, id, use) {
  const tpm = new SocketTpm(path);
  try {
    return await use(new TpmSecurityClient(id, tpm));
  } finally {
    tpm.close();
  }
}

const tpmIdentity = (key, [path]) => withTpm(path, undefined, async (security) => ({
  endorsementKey: (await promisify(security.getEndorsementKey.bind(security))()).toString('base64'),
  registrationId: await promisify(security.getRegistrationId.bind(security))(),
}));

const tpmProvision = (key, [path, host, scope, id]) => withTpm(path, id, (security) =>
  ProvisioningDeviceClient.create(host, scope, new ProvisioningHttp(), security).register());

const certificate = (key, path) => ({ cert: readFileSync(path, 'utf8'), key });

const x509Provision = (key, [path, host, scope, id]) => ProvisioningDeviceClient.create(host, scope,
  new ProvisioningHttp(), new X509Security(id, certificate(key, path))).register();

function member(groupKey, [host, scope, id]) {
  const key = createHmac('sha256', Buffer.from(groupKey, 'base64')).update(id).digest('base64');
  return provision(key, [host, scope, id]);
}

// One message, three in a batch, and one look for messages to the device.
async function exchange(client, size) {
  const message = new Message(size ? 'x'.repeat(Number(size)) : '{"temperature":21}');
  message.messageId = 'one';
  message.contentType = 'application/json';
  message.properties.add('site', 'north');
  const one = await client.sendEvent(message);
  const batch = await client.sendEventBatch(['a', 'b', 'c'].map((text) => new Message(text)));

  client.setOptions({ http: { receivePolicy: { at: new Date() } } });
  const looked = new Promise((resolve) => {
    subscribe('http.client.response.finish', ({ request, response }) => {
      if (request.path.includes('/devicebound')) resolve(response.statusCode);
    });
  });
  client.on('message', (received) => { throw new Error(`a message: ${received.getData()}`); });
  return { one: one.constructor.name, batch: batch.constructor.name, received: await looked };
}

async function talk(client, size) {
  await client.open();
  try {
    return await exchange(client, size);
  } finally {
    await client.close();
  }
}

const telemetry = (key, [host, deviceId, size]) => talk(Client.fromConnectionString(
  `HostName=${host};DeviceId=${deviceId};SharedAccessKey=${key}`, DeviceHttp), size);

const tpmTelemetry = (key, [path, host, deviceId]) => withTpm(path, undefined, (security) =>
  talk(Client.fromAuthenticationProvider(
    TpmAuthenticationProvider.fromTpmSecurityClient(deviceId, host, security), DeviceHttp)));

// Over HTTP setOptions() takes a certificate at once, but never says that it is done.
function x509Telemetry(key, [path, host, deviceId]) {
  const client = Client.fromConnectionString(`HostName=${host};DeviceId=${deviceId};x509=true`,
    DeviceHttp);
  client.setOptions(certificate(key, path));
  return talk(client);
}

const verbs = {
  provision, member, telemetry,
  'tpm-identity': tpmIdentity, 'tpm-provision': tpmProvision, 'tpm-telemetry': tpmTelemetry,
  'x509-provision': x509Provision, 'x509-telemetry': x509Telemetry,
};

async function main([verb, ...rest]) {
  const key = readFileSync(0, 'utf8').trim();
  try {
    print({ result: await verbs[verb](key, rest) });
  } catch (error) {
    print({ error: { name: error.name, message: error.message,
                     status: error.response?.statusCode, body: error.responseBody } });
    process.exitCode = 1;
  }
}

main(process.argv.slice(2));
