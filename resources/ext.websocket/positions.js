// What a page has had of so many types is kept for its way back, and of so many pages that the reader has left.
const MOST = 50;
const PAGES = 10;
// Later than any time in seconds that makes sense, and earlier than any in milliseconds.
const MILLISECONDS = 1e11;

/**
 * What this page has had of each type, so that it can go on from there: with another host, or after it was put away. Memory is enough for that, as long
 * as the page lives. A page whose memory the browser has thrown away, and which it brings back, goes on from what it has left in the storage of the tab.
 */
export class Positions {
	/**
	 * @param {function(string, *): *} store reads, or with a value writes, what outlives this page in its tab
	 * @param {string} url of the page
	 * @param {boolean} returned the browser has brought back a page that had been left, and what it has left is its own
	 */
	constructor( store, url, returned ) {
		this.store = store;
		this.url = url;
		// By type: epoch and offset, or time, or nothing known; behind: the callbacks that want what the others have had already.
		this.had = new Map();
		const left = returned && this.pages().find( ( page ) => page.url === url );
		this.left = new Map( left && Array.isArray( left.had ) ? left.had.filter( Array.isArray ) : [] );
	}

	/**
	 * @param {string} type which a callback subscribes to
	 * @param {number} time since when, Unix time in seconds; 0: from now on
	 */
	begin( type, time ) {
		this.had.set( type, time ? { time } : Object.assign( {}, this.left.get( type ) ) );
		this.left.delete( type );
	}

	/**
	 * One more callback subscribes, and wants what others may have had.
	 *
	 * @param {string} type
	 * @param {number} time since when
	 * @param {Function} callback
	 * @return {Object} the member "since" of the message subscribe
	 */
	join( type, time, callback ) {
		const at = this.had.get( type );
		if ( at.epoch ) {
			at.behind = ( at.behind || new Set() ).add( callback );
			return { time };
		}
		at.time = Math.min( at.time || time, time );
		return { time: at.time };
	}

	end( type ) {
		this.had.delete( type );
	}

	/**
	 * @param {string} type
	 * @return {Object} the member "since" of the message subscribe, if there is anything to say
	 */
	since( type ) {
		const { epoch, offset, time } = this.had.get( type );
		return epoch ? { since: { epoch, offset } } : time ? { since: { time } } : {};
	}

	/**
	 * The page has had everything up to here.
	 *
	 * @param {string} type
	 * @param {string} epoch
	 * @param {number} offset
	 */
	reach( type, epoch, offset ) {
		const at = this.had.get( type );
		if ( at && !( epoch === at.epoch && offset < at.offset ) ) {
			Object.assign( at, { epoch, offset } );
		}
	}

	/**
	 * A message is there.
	 *
	 * @param {string} type
	 * @param {number|undefined} offset
	 * @return {Set|null|undefined} the callbacks that it is for, nothing for all
	 */
	pass( type, offset ) {
		const at = this.had.get( type );
		if ( !at || !at.epoch || !offset ) {
			return null;
		}
		if ( offset <= at.offset ) { // a replay, or, from a host that has no order, late
			return at.behind;
		}
		at.offset = offset;
		at.behind = null;
		return null;
	}

	/**
	 * The page may be about to go: leave behind what it has had.
	 */
	keep() {
		const had = [];
		this.had.forEach( ( { epoch, offset }, type ) => epoch && had.push( [ type, { epoch, offset } ] ) );
		const others = this.pages().filter( ( page ) => page.url !== this.url );
		this.store( 'left', others.concat( { url: this.url, had: had.slice( -MOST ) } ).slice( -PAGES ) );
	}

	pages() {
		const pages = this.store( 'left' );
		return Array.isArray( pages ) ? pages.filter( Boolean ) : [];
	}
}

/**
 * Read since when somebody wants messages.
 *
 * @param {*} since a Date or Unix time in seconds; nothing: from now on
 * @return {number} whole seconds, 0 for nothing, NaN when it is no time
 */
export function seconds( since ) {
	if ( since === undefined || since === null ) {
		return 0;
	}
	const time = since instanceof Date ? since / 1000 : since;
	return typeof time === 'number' && time > 0 && time < MILLISECONDS ? Math.max( 1, Math.floor( time ) ) : NaN;
}
