// People, the rooms that bring them together, and the invites that let new ones in.
import { requestJson } from './client';
import type { Invites, MadeInvite, MakeInvite, Me, People, Person, Room, Rooms } from './types';

const person = (id: string) => `/api/v1/people/${encodeURIComponent(id)}`;
const room = (id: string) => `/api/v1/rooms/${encodeURIComponent(id)}`;

export const getPeople = () => requestJson<People>('/api/v1/people');

export const renamePerson = (id: string, name: string) =>
  requestJson<Person>(person(id), { method: 'PATCH', body: { name } });

/** Ends their rights, machines and browsers here, at once and everywhere. */
export const removePerson = (id: string) => requestJson<undefined>(person(id), { method: 'DELETE' });

export const getRooms = () => requestJson<Rooms>('/api/v1/rooms');

export const makeRoom = (name: string) =>
  requestJson<Room>('/api/v1/rooms', { method: 'POST', body: { name } });

export const renameRoom = (id: string, name: string) =>
  requestJson<Room>(room(id), { method: 'PATCH', body: { name } });

export const removeRoom = (id: string) => requestJson<undefined>(room(id), { method: 'DELETE' });

export const setMember = (id: string, member: string, inside: boolean) =>
  requestJson<Room>(`${room(id)}/members/${encodeURIComponent(member)}`, {
    method: inside ? 'PUT' : 'DELETE',
  });

export const getInvites = () => requestJson<Invites>('/api/v1/invites');

export const makeInvite = (invite: MakeInvite) =>
  requestJson<MadeInvite>('/api/v1/invites', { method: 'POST', body: invite });

export const revokeInvite = (id: string) =>
  requestJson<undefined>(`/api/v1/invites/${encodeURIComponent(id)}`, { method: 'DELETE' });

/** Comes in with an invite, which is burned by it. */
export const acceptInvite = (invite: string) =>
  requestJson<Me>('/api/v1/invites/use', { method: 'POST', body: { invite } });
