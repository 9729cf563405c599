// How often it looks, in ms.
const EVERY = 10000;
// So much later than it should is too late, in ms: nothing ran in the meantime. Also timers of pages that nobody sees may be late, by up to a minute; that
// costs no more than a ping.
const LATE = 20000;

/**
 * Notices that the machine slept, or that the browser had stopped this host: the time is another one than it should be.
 */
export class Clock {
	/**
	 * @param {function()} woke is called when that is over
	 */
	constructor( woke ) {
		this.woke = woke;
		this.last = Date.now();
	}

	start() {
		setInterval( () => this.look(), EVERY );
	}

	/**
	 * Look now: something has happened, and what is to be made of it depends on whether this host ran all the time.
	 */
	look() {
		const now = Date.now();
		const late = now - this.last > EVERY + LATE;
		this.last = now;
		if ( late ) {
			this.woke();
		}
	}
}
