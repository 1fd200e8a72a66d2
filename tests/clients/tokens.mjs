// Tokens as a backend makes them, and the settings with which the server wants them.

import { createHmac } from 'node:crypto';

const SECRET = 'a secret of thirty-two characters';

export const REQUIRED = { AUTH_REQUIRED: 'true', AUTH_SECRET: SECRET, AUTH_PROJECTS_CLAIM: 'projects' };

const encode = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');

export const now = () => Math.floor(Date.now() / 1000);

/** A token of somebody who may do everything, or has only the roles in `projects`, for so many seconds. */
export function tokenOf(user, seconds = 3600, secret = SECRET, projects = { '*': 'owner' }) {
  const claims = { sub: user, iat: now(), exp: now() + seconds, projects };
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
