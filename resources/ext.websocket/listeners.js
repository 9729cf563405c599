/**
 * Callbacks by name. Like an event target: the same callback counts once, and one that throws does not keep the others from running.
 */
export class Listeners {
	/**
	 * @param {function(*)} report what becomes of an exception
	 */
	constructor( report ) {
		this.report = report;
		// A Map, because names come from outside: "__proto__" is one like any other.
		this.sets = new Map();
	}

	/**
	 * @param {string} name
	 * @param {Function} callback
	 * @return {boolean} it is the first of this name
	 */
	add( name, callback ) {
		const set = this.sets.get( name );
		if ( set ) {
			set.add( callback );
			return false;
		}
		this.sets.set( name, new Set( [ callback ] ) );
		return true;
	}

	/**
	 * @param {string} name
	 * @param {Function} callback
	 * @return {boolean} it was the last of this name
	 */
	remove( name, callback ) {
		const set = this.sets.get( name );
		if ( !set || !set.delete( callback ) || set.size ) {
			return false;
		}
		return this.sets.delete( name );
	}

	has( name ) {
		return this.sets.has( name );
	}

	names() {
		return Array.from( this.sets.keys() );
	}

	/**
	 * Call the callbacks of a name.
	 *
	 * @param {string} name
	 * @param {*} value for them
	 * @param {Set|null} [only] those of them that are called; missing: all
	 */
	run( name, value, only ) {
		const set = this.sets.get( name );
		Array.from( set || [] ).forEach( ( callback ) => {
			if ( set.has( callback ) && ( !only || only.has( callback ) ) ) {
				this.call( callback, value );
			}
		} );
	}

	call( callback, value ) {
		try {
			callback( value );
		} catch ( e ) {
			this.report( e );
		}
	}
}
