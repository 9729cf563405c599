/**
 * By Web Locks a page and a shared host notice each other's end, which nothing else would tell: the browser hands on the locks of whoever is gone.
 * Without Web Locks the host asks for signs of life, and both go by the other's silence.
 */
export class Locks {
	/**
	 * @param {LockManager|undefined} locks
	 * @param {string} id of the page
	 */
	constructor( locks, id ) {
		this.locks = locks;
		this.name = 'WebSocket ' + id;
		this.unlock = null;
		this.vigil = null;
	}

	/**
	 * Hold the lock of this page.
	 *
	 * @param {function()} held is called when it is held, at once if it is already
	 */
	hold( held ) {
		if ( this.unlock ) {
			held();
		} else if ( this.locks ) {
			this.locks.request( this.name, () => new Promise( ( resolve ) => {
				this.unlock = resolve;
				held();
			} ) ).catch( () => {} ); // do without
		}
	}

	/**
	 * Wait for the end of the host.
	 *
	 * @param {string} name of its lock
	 * @param {function()} gone
	 */
	watch( name, gone ) {
		if ( !this.locks || this.vigil ) {
			return;
		}
		const vigil = this.vigil = new AbortController();
		this.locks.request( name, { signal: vigil.signal }, () => {
			if ( this.vigil === vigil ) {
				this.vigil = null;
				gone();
			}
		} ).catch( () => {} ); // given up
	}

	/**
	 * Let go of everything: a page that holds or awaits a lock would not be kept for the way back.
	 */
	release() {
		if ( this.vigil ) {
			this.vigil.abort();
			this.vigil = null;
		}
		if ( this.unlock ) {
			this.unlock();
			this.unlock = null;
		}
	}
}
