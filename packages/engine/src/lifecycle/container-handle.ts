import { type ContainerRecord, directoryOf } from '@lamella/cleanup';
import type { ContainerConfig } from '../model/container-config.js';
import { readConfig } from '../store/config-file.js';
import { recordEvent } from '../store/events.js';
import { namesById, withName } from '../store/names.js';
import { notFound } from './container-errors.js';
import { type ContainerState, stateOf } from './state.js';

/** A container of a store, for the functions of all rooms that work on one. */
export class ContainerHandle {
  readonly id: string;
  /** Absolute path of the store. */
  readonly root: string;
  readonly record: ContainerRecord;
  #config: ContainerConfig;

  constructor(root: string, config: ContainerConfig) {
    this.id = config.id;
    this.root = root;
    this.record = { containers: `${root}/containers`, id: config.id };
    this.#config = config;
  }

  /** The config as it was read last. */
  get config(): ContainerConfig {
    return this.#config;
  }

  /** Absolute path of the container's directory in the store. */
  get directory(): string {
    return directoryOf(this.record);
  }

  /** The name in messages: the container's name, or else its id. */
  get shownName(): string {
    return this.#config.spec.name ?? this.id;
  }

  /**
   * Reads the config again where it changes. A view of the host has other directories after each run, and each is known by its place in the
   * list: with an old list, changes of one directory would be taken for those of another.
   */
  async refresh(): Promise<void> {
    if (!this.#config.spec.host) return;
    const config = await readConfig(this.directory);
    if (config) this.#config = withName(config, this.#config.spec.name);
  }

  rename(name: string): void {
    this.#config = withName(this.#config, name);
  }

  /** @throws EngineError `CONTAINER_NOT_FOUND` */
  async state(): Promise<ContainerState> {
    const state = await stateOf(this.record, await this.#currentName());
    if (!state) throw notFound(this.id);
    return state;
  }

  /** Records an event of the container. @param name its name, where that is known to have changed */
  async recordEvent(event: string, name?: string): Promise<void> {
    await recordEvent(this.record.containers, event, { id: this.id, name: name ?? (await this.#currentName()), image: this.#config.image });
  }

  async #currentName(): Promise<string | undefined> {
    return (await namesById(this.record.containers)).get(this.id);
  }
}
