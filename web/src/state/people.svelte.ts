// The people and rooms that the visitor may know of, and what they are called.
import { ApiFailure } from '../api/client';
import { getPeople, getRooms } from '../api/people';
import type { Person, Room, Subject } from '../api/types';

export class PeopleState {
  people = $state.raw<Person[]>([]);
  rooms = $state.raw<Room[]>([]);
  loaded = $state(false);
  failure = $state.raw<ApiFailure | null>(null);

  async load(): Promise<void> {
    try {
      const [{ people }, { rooms }] = await Promise.all([getPeople(), getRooms()]);
      this.people = people;
      this.rooms = rooms;
      this.failure = null;
      this.loaded = true;
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.failure = error;
    }
  }

  person(id: string | null | undefined): Person | undefined {
    return this.people.find((person) => person.id === id);
  }

  room(id: string): Room | undefined {
    return this.rooms.find((room) => room.id === id);
  }

  /** What whom-a-grant-is-for is called; empty for who is not known, and for everyone. */
  nameOf(subject: Subject): string {
    if (subject.kind === 'principal') return this.person(subject.id)?.display_name ?? '';
    return subject.kind === 'room' ? (this.room(subject.id)?.name ?? '') : '';
  }
}

export const people = new PeopleState();
